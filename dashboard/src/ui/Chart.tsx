/**
 * A chart: its lines, a legend that reads out the moment under the cursor (or the last one), and the
 * same figures as a table for those who cannot see lines or want to copy them.
 */
import { type ReactNode, useState } from "react";

import { type Maybe, UNKNOWN, isKnown } from "../lib/format";
import { lastRow } from "../lib/series";
import { clock, dayAndClock } from "../lib/ticks";
import { Plot, type PlotProps } from "./Plot";
import { Icon } from "./icons";
import type { Line } from "./plot-options";

interface ChartProps extends Omit<PlotProps, "onHover"> {
  /** What the chart shows, for the table's caption. */
  readonly title: string;
  /** How a value is read out, unit included. */
  readonly text: (value: number) => string;
  /** How many requests stand behind each point, if that is known. */
  readonly behind?: readonly (number | null)[];
  /** Whether the table is shown instead of the lines. */
  readonly asTable: boolean;
}

/** A window longer than this has the day in its moments. */
const DAY_MS = 86_400_000;

/** A chart with its legend, or its table. */
export function Chart(props: ChartProps) {
  const [hovered, setHovered] = useState<number | null>(null);
  const row = hovered ?? lastRow(props.lines.map((line) => line.values));
  return (
    <>
      <Legend {...props} row={row} hovered={hovered !== null} />
      {props.asTable ? <FiguresTable {...props} /> : <Plot {...props} onHover={setHovered} />}
    </>
  );
}

/** The button that turns a chart into its table and back. */
export function TableToggle({
  title,
  pressed,
  onToggle,
}: {
  readonly title: string;
  readonly pressed: boolean;
  readonly onToggle: () => void;
}) {
  const label = `${title} as a table`;
  return (
    <button
      type="button"
      className="control"
      aria-pressed={pressed}
      aria-label={label}
      title={label}
      onClick={onToggle}
    >
      <Icon name="table" />
    </button>
  );
}

interface LegendProps extends ChartProps {
  readonly row: number | null;
  readonly hovered: boolean;
}

function Legend({ lines, times, row, hovered, text, behind, fromMs, toMs }: LegendProps) {
  const seconds = row === null ? undefined : times[row];
  const requests = row === null ? null : behind?.[row];
  return (
    <div className="legend">
      {lines.map((line) => (
        <LegendEntry
          key={line.key}
          line={line}
          value={row === null ? null : line.values[row]}
          text={text}
        />
      ))}
      <span className="legend-moment">
        {seconds === undefined ? null : (
          <>
            {isKnown(requests) ? `${requests} requests, ` : ""}
            {hovered ? "" : "last: "}
            {moment(seconds * 1_000, toMs - fromMs)}
          </>
        )}
      </span>
    </div>
  );
}

interface LegendEntryProps {
  readonly line: Line;
  readonly value: Maybe;
  readonly text: (value: number) => string;
}

function LegendEntry({ line, value, text }: LegendEntryProps) {
  const square = line.shape === "bars" ? " swatch-square" : "";
  return (
    <span className="legend-entry">
      <span className={`swatch${square}`} style={{ "--swatch": `var(${line.colour})` }} />
      {line.label} <b>{isKnown(value) ? text(value) : UNKNOWN}</b>
    </span>
  );
}

function FiguresTable({ title, lines, times, text, fromMs, toMs, behind }: ChartProps) {
  const rows = times
    .map((seconds, row) => ({ seconds, row }))
    .filter(({ row }) => lines.some((line) => isKnown(line.values[row])))
    .reverse();
  return (
    <TableScroller label={`${title}, table`}>
      <table className="table">
        <caption className="only-read-aloud">{title}, newest first. A dash is a gap.</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map((line) => (
              <th key={line.key} scope="col" className="number">
                {line.label}
              </th>
            ))}
            {behind === undefined ? null : (
              <th scope="col" className="number">
                requests
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ seconds, row }) => (
            <tr key={seconds}>
              <th scope="row">{moment(seconds * 1_000, toMs - fromMs)}</th>
              {lines.map((line) => (
                <td key={line.key} className="number">
                  {figure(line.values[row], text)}
                </td>
              ))}
              {behind === undefined ? null : <td className="number">{behind[row] ?? UNKNOWN}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroller>
  );
}

/** A region that scrolls by itself and can be reached by the keyboard. */
function TableScroller({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ReactNode;
}) {
  return (
    // A region that scrolls must take the focus, or the keyboard cannot scroll it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="scroller plot" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

function moment(ms: number, windowMs: number): string {
  return windowMs >= DAY_MS ? dayAndClock(ms) : clock(ms);
}

function figure(value: Maybe, text: (value: number) => string): string {
  return isKnown(value) ? text(value) : UNKNOWN;
}
