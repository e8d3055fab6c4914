/** The drawer at the side: opened by a row, closed by Esc or its button, the table stays usable beside it. */
import { type ReactNode, useEffect, useRef } from "react";

import { UNKNOWN } from "../lib/format";
import type { Part } from "../lib/timing";
import { Icon } from "./icons";

interface DrawerProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** The drawer. It takes the focus when it opens and gives it back when it closes. */
export function Drawer({ title, onClose, children }: DrawerProps) {
  const close = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    close.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);

  return (
    <aside className="drawer" aria-label={title}>
      <div className="drawer-head">
        <h2>{title}</h2>
        <button
          type="button"
          className="control"
          ref={close}
          aria-label="Close"
          title="Close (Esc)"
          onClick={onClose}
        >
          <Icon name="close" />
        </button>
      </div>
      <div className="drawer-body">{children}</div>
    </aside>
  );
}

/** One fact: what it is called, and what it is. `null` is shown as unknown. */
export interface Fact {
  readonly name: string;
  readonly value: ReactNode;
  /** How it is measured, or why it is unknown. */
  readonly meaning?: string;
}

/** Facts under a heading. */
export function Facts({
  title,
  facts,
}: {
  readonly title: string;
  readonly facts: readonly Fact[];
}) {
  return (
    <section>
      <h3>{title}</h3>
      <dl className="facts">
        {facts.map((fact) => (
          <FactRow key={fact.name} fact={fact} />
        ))}
      </dl>
    </section>
  );
}

function FactRow({ fact }: { readonly fact: Fact }) {
  const unknown = fact.value === null || fact.value === undefined || fact.value === UNKNOWN;
  return (
    <>
      <dt title={fact.meaning}>{fact.name}</dt>
      <dd title={fact.meaning}>
        {unknown ? <span className="unknown">unknown</span> : fact.value}
      </dd>
    </>
  );
}

interface TimingBarProps {
  readonly parts: readonly Part[];
  readonly text: (ms: number) => string;
}

/** The parts of a request to scale, and the same as a list. */
export function TimingBar({ parts, text }: TimingBarProps) {
  const total = parts.reduce((sum, part) => sum + part.lengthMs, 0);
  return (
    <>
      <div className="timing" aria-hidden="true">
        {parts.map((part) => (
          <span
            key={part.name}
            title={`${part.label} ${text(part.lengthMs)}`}
            style={{ width: `${(part.lengthMs / total) * 100}%`, "--swatch": partColour(part) }}
          />
        ))}
      </div>
      <ul className="timing-list">
        {parts.map((part) => (
          <li key={part.name} title={part.meaning}>
            <span
              className="swatch swatch-square"
              style={{ "--swatch": partColour(part) }}
              aria-hidden="true"
            />
            <span>{part.label}</span>
            <span>{text(part.lengthMs)}</span>
            <span className="muted">{percent(part.lengthMs / total)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function percent(share: number): string {
  const whole = Math.round(share * 100);
  return whole === 0 ? "< 1 %" : `${whole} %`;
}

function partColour(part: Part): string {
  return `var(--part-${part.name})`;
}
