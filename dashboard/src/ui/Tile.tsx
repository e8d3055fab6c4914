/** A tile: one figure, its unit, how it moved, its course over the window, and its definition. */
import { useId } from "react";

import type { Change, Figure } from "../lib/format";
import type { Column } from "../lib/series";
import { Sparkline } from "./Sparkline";

/** Which direction of a figure is good news. */
export type Better = "lower" | "higher" | "neither";

interface TileProps {
  readonly label: string;
  /** The figure; `null` before the first answer. */
  readonly figure: Figure | null;
  /** The panel that the tile leads to. */
  readonly href: string;
  /** How the figure is measured, over what. */
  readonly meaning: string;
  readonly change?: Change | null;
  /** What the change is against, such as "the hour before". */
  readonly against?: string;
  readonly better?: Better;
  readonly course: Column;
  /** The token of the sparkline's colour. */
  readonly colour: string;
  /** Draws the figure as a failure. */
  readonly alarming?: boolean;
}

/** One tile of the row on top. */
export function Tile(props: TileProps) {
  const { label, figure, href, meaning, change = null, against, course, colour } = props;
  const bubble = useId();
  return (
    <a className="tile has-bubble" href={href} aria-describedby={bubble}>
      <span className="tile-label">{label}</span>
      <span className="tile-line">
        {figure === null ? (
          <span className="ghost ghost-figure">
            <span className="only-read-aloud">Loading</span>
          </span>
        ) : (
          <>
            <span className={`tile-value${props.alarming === true ? " tone-bad" : ""}`}>
              {figure.value}
            </span>
            <span className="tile-unit">{figure.unit}</span>
          </>
        )}
        {change === null ? null : (
          <span className={`tile-change ${toneOf(change, props.better ?? "neither")}`}>
            {change.text}
            {against === undefined ? null : (
              <span className="only-read-aloud"> against {against}</span>
            )}
          </span>
        )}
      </span>
      <Sparkline values={course} colour={colour} />
      <span className="bubble" role="tooltip" id={bubble}>
        {meaning}
        {against === undefined || change === null ? null : ` The change is against ${against}.`}
      </span>
    </a>
  );
}

function toneOf(change: Change, better: Better): string {
  if (better === "neither" || !change.notable) {
    return "";
  }
  const worse = (change.direction === "up") === (better === "lower");
  return worse ? "tone-bad" : "tone-good";
}
