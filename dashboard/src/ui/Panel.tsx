/** A panel: a heading, its actions, and one of the states that any panel can be in. */
import { type ReactNode, useState } from "react";

import { Icon } from "./icons";

interface PanelProps {
  readonly id: string;
  readonly title: string;
  /** The unit of what is shown, beside the title. */
  readonly unit?: string | undefined;
  readonly actions?: ReactNode;
  /** How wide the panel lies in the grid. */
  readonly size?: "single" | "half" | "wide";
  readonly children: ReactNode;
}

/** One panel of the page. */
export function Panel({ id, title, unit, actions, size = "single", children }: PanelProps) {
  return (
    <section className={`panel panel-${size}`} id={id} aria-labelledby={`${id}-title`}>
      <div className="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {unit === undefined ? null : <span className="panel-unit">{unit}</span>}
        <div className="panel-actions">{actions}</div>
      </div>
      {children}
    </section>
  );
}

/** The shape of what is to come, before the first answer. */
export function Loading({ shape }: { readonly shape: "plot" | "rows" }) {
  return (
    <div role="status">
      <span className="only-read-aloud">Loading</span>
      {shape === "plot" ? (
        <span className="ghost ghost-plot" />
      ) : (
        Array.from({ length: 6 }, (_, row) => <span key={row} className="ghost ghost-row" />)
      )}
    </div>
  );
}

/** Nothing to show, and why, and what to do. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ReactNode;
}) {
  return (
    <div className="state">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

interface FailedProps {
  /** What could not be shown. */
  readonly what: string;
  /** The sentence that the server gave, or that stands for its silence. */
  readonly reason: string;
  readonly onRetry: () => void;
}

/** The answer never came: says so, with the reason and a next step. */
export function Failed({ what, reason, onRetry }: FailedProps) {
  return (
    <div className="state" role="alert">
      <strong>
        <Icon name="warn" /> {what} could not be read.
      </strong>
      <p>{reason}</p>
      <button type="button" className="control control-outlined" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}

/** The figures below are the last good ones; newer ones failed to come. */
export function Stale({ reason, age }: { readonly reason: string; readonly age: string }) {
  return (
    <p className="panel-note" role="status">
      <span>
        These figures are {age} old. {reason}
      </span>
    </p>
  );
}

/** A command to copy into a terminal. */
export function Command({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div className="command">
      {/* The command scrolls sideways, so that the keyboard must reach it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}

/** Puts a text on the clipboard and says that it did. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [state, setState] = useState<"idle" | "done" | "refused">("idle");
  const copy = () => {
    // Pages that are not served from a safe origin have no clipboard; the text can still be selected.
    if (!window.isSecureContext) {
      setState("refused");
      return;
    }
    navigator.clipboard.writeText(text).then(
      () => {
        setState("done");
      },
      () => {
        setState("refused");
      },
    );
  };
  return (
    <button type="button" className="control" aria-label={label} title={label} onClick={copy}>
      <Icon name={state === "done" ? "good" : "copy"} />
      <span role="status">
        {state === "done" ? "Copied" : state === "refused" ? "Select it by hand" : ""}
      </span>
    </button>
  );
}
