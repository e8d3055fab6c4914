/** The course of one figure over the window, without axes. Gaps are gaps. */
import type { Column } from "../lib/series";
import { sparkPath } from "../lib/spark";

const WIDTH = 100;
const HEIGHT = 28;

interface SparklineProps {
  readonly values: Column;
  /** The token of its colour. */
  readonly colour: string;
}

/** A line from zero to the largest value. Screen readers have the figure and the chart's table instead. */
export function Sparkline({ values, colour }: SparklineProps) {
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
      style={{ "--spark-colour": `var(${colour})` }}
    >
      <path className="spark-ground" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path d={sparkPath(values, WIDTH, HEIGHT)} />
    </svg>
  );
}
