/** Small parts: badges, meters, names with their colour, a choice of few, and words that lead somewhere. */
import type { ReactNode } from "react";

import { nameColour } from "../lib/palette";
import type { Tone } from "../lib/outcome";
import { Icon, type IconName } from "./icons";

const SIGNS: Readonly<Record<Tone, IconName>> = {
  good: "good",
  warn: "warn",
  bad: "bad",
  quiet: "quiet",
};

/** A word with a judgement: by its sign, its weight and its colour, never by colour alone. */
export function Badge({
  tone,
  meaning,
  calm = false,
  children,
}: {
  readonly tone: Tone;
  /** Without a colour while all is well: for long lists, in which only the bad ones may stand out. */
  readonly calm?: boolean;
  readonly meaning?: string;
  readonly children: ReactNode;
}) {
  return (
    <span
      className={`badge badge-${tone} tone-${calm && tone === "good" ? "quiet" : tone}`}
      title={meaning}
    >
      <Icon name={SIGNS[tone]} />
      {children}
    </span>
  );
}

/** A name with the colour that it has on every chart and page. */
export function Name({ name }: { readonly name: string }) {
  return (
    <span className="badge">
      <span
        className="swatch swatch-square"
        style={{ "--swatch": `var(${nameColour(name)})` }}
        aria-hidden="true"
      />
      <span className="clip" title={name}>
        {name}
      </span>
    </span>
  );
}

/** A figure with a bar that shows its share of the largest one beside it. */
export function Meter({
  share,
  bad = false,
  children,
}: {
  readonly share: number;
  readonly bad?: boolean;
  readonly children: ReactNode;
}) {
  const bounded = Math.min(1, Math.max(0, share));
  return (
    <span className="bar-cell">
      {children}
      <span
        className={`meter${bad ? " meter-bad" : ""}`}
        style={{ "--share": bounded }}
        aria-hidden="true"
      />
    </span>
  );
}

interface ChoiceProps<Value extends string> {
  /** What is chosen, for screen readers. */
  readonly label: string;
  readonly values: readonly Value[];
  /** The chosen one; `null` when none of them is. */
  readonly chosen: Value | null;
  readonly text?: (value: Value) => string;
  readonly onChoose: (value: Value) => void;
}

/** A choice of few, all of them in sight. */
export function Choice<Value extends string>(props: ChoiceProps<Value>) {
  return (
    <div className="bar-group" role="group" aria-label={props.label}>
      {props.values.map((value) => (
        <button
          key={value}
          type="button"
          className="control"
          aria-pressed={value === props.chosen}
          onClick={() => {
            props.onChoose(value);
          }}
        >
          {props.text === undefined ? value : props.text(value)}
        </button>
      ))}
    </div>
  );
}

interface FilterSelectProps {
  readonly name: string;
  /** The values to choose from. A set value that is not among them is offered too. */
  readonly values: readonly string[];
  readonly value: string | undefined;
  readonly onChange: (value: string | null) => void;
}

/** One filter: any value, or one of those that occur. */
export function FilterSelect({ name, values, value, onChange }: FilterSelectProps) {
  const offered = value === undefined || values.includes(value) ? values : [value, ...values];
  return (
    <label className={`filter${value === undefined ? "" : " filter-set"}`}>
      <span>{name}</span>
      {value === undefined ? null : (
        <b className="filter-value" aria-hidden="true">
          {value}
        </b>
      )}
      <Icon name="chevron" />
      <select
        value={value ?? ""}
        onChange={(event) => {
          onChange(event.target.value === "" ? null : event.target.value);
        }}
      >
        <option value="">any</option>
        {offered.map((word) => (
          <option key={word} value={word}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A button inside of running text. */
export function LeadTo({
  onClick,
  children,
}: {
  readonly onClick: () => void;
  readonly children: ReactNode;
}) {
  return (
    <button type="button" className="lead-to" onClick={onClick}>
      {children}
    </button>
  );
}
