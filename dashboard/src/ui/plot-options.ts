/**
 * How a chart is drawn, as options of uPlot: thin lines, gaps as gaps, one unit on an axis, a cursor
 * that all charts share, and a drag that chooses a window.
 */
import uPlot from "uplot";

import { type Column, lonely } from "../lib/series";
import { tickLabel } from "../lib/ticks";

/** One line, or one layer of bars, of a chart. */
export interface Line {
  /** Identifies the line within its chart. */
  readonly key: string;
  readonly label: string;
  /** The name of the colour's token, such as `--latency-2`. */
  readonly colour: string;
  /** The token of the ground below the line, if it has one. */
  readonly wash?: string;
  /** The key of the line that the ground reaches down to, instead of to zero. */
  readonly bandTo?: string;
  readonly shape: "line" | "bars";
  /** What is read out. */
  readonly values: Column;
  /** What is drawn when it differs: the running sums of stacked bars. */
  readonly drawn?: Column;
}

/** What options need beyond the lines. */
export interface Setting {
  readonly width: number;
  readonly height: number;
  readonly syncKey: string;
  readonly axisText: (value: number) => string;
  /** Whether there are no values between whole numbers. */
  readonly whole: boolean;
  readonly colour: (token: string) => string;
  readonly onHover: (row: number | null) => void;
  readonly onZoom: (fromMs: number, toMs: number) => void;
  readonly onReset: () => void;
}

const LINE_WIDTH = 1.5;
const AXIS_WIDTH = 46;
const AXIS_HEIGHT = 24;

/** Distances of ticks on an axis of whole numbers. */
const WHOLE_INCRS = [0, 1, 2, 3, 4, 5, 6].flatMap((zeros) =>
  [1, 2, 5].map((digit) => digit * 10 ** zeros),
);

/** Narrower drags are clicks with an unsteady hand. */
const DRAG_PX_MIN = 6;

/** The options of a chart. The scale of time is set by hand, so that gaps at the ends are seen. */
export function plotOptions(lines: readonly Line[], setting: Setting): uPlot.Options {
  const { colour } = setting;
  return {
    width: setting.width,
    height: setting.height,
    // The last label of the time axis is centred at its tick and needs its half beyond it.
    padding: [8, 16, 0, 0],
    legend: { show: false },
    scales: { x: { time: true, auto: false }, y: { range: yRange } },
    axes: [
      {
        ...axisStyle(setting),
        size: AXIS_HEIGHT,
        space: 64,
        grid: { show: false },
        ticks: { stroke: colour("--line"), width: 1, size: 4 },
        values: (_plot, splits, _axis, _space, incr) =>
          splits.map((split) => tickLabel(split, incr)),
      },
      {
        ...axisStyle(setting),
        size: AXIS_WIDTH,
        space: 34,
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { show: false },
        values: (_plot, splits) => splits.map(setting.axisText),
        ...(setting.whole ? { incrs: WHOLE_INCRS } : {}),
      },
    ],
    cursor: {
      sync: {
        key: setting.syncKey,
        scales: ["x", null],
        // The cursor is shared, a drag is not: one gesture must choose one window, not one for each chart.
        filters: {
          pub: (type) => type !== "mousedown" && type !== "mouseup" && type !== "dblclick",
        },
      },
      x: true,
      y: false,
      points: { size: 6, width: 2 },
      drag: { x: true, y: false, setScale: false, dist: DRAG_PX_MIN },
      // A double click is taken by the listener below, for the whole page and not for this chart.
      bind: { dblclick: () => () => null },
    },
    bands: bandsOf(lines, colour),
    series: [{}, ...lines.map((line) => lineOptions(line, colour))],
    hooks: {
      ready: [
        (plot) => {
          plot.over.addEventListener("dblclick", setting.onReset);
        },
      ],
      setCursor: [
        (plot) => {
          setting.onHover(plot.cursor.idx ?? null);
        },
      ],
      setSelect: [
        (plot) => {
          if (plot.select.width >= DRAG_PX_MIN) {
            const from = plot.posToVal(plot.select.left, "x");
            const to = plot.posToVal(plot.select.left + plot.select.width, "x");
            setting.onZoom(Math.round(from * 1_000), Math.round(to * 1_000));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }
        },
      ],
    },
  };
}

/** The columns as uPlot takes them. Stacked layers are drawn from the tallest to the lowest. */
export function plotData(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...drawingOrder(lines).map((line) => [...(line.drawn ?? line.values)])];
}

/** The order in which lines are handed to uPlot, which paints later ones over earlier ones. */
export function drawingOrder(lines: readonly Line[]): readonly Line[] {
  return lines.some((line) => line.drawn !== undefined) ? [...lines].reverse() : lines;
}

function lineOptions(line: Line, colour: (token: string) => string): uPlot.Series {
  const stroke = colour(line.colour);
  if (line.shape === "bars") {
    const bars = uPlot.paths.bars?.({ size: [0.72, 40], align: 1 });
    return {
      label: line.label,
      stroke,
      fill: stroke,
      width: 0,
      points: { show: false },
      ...(bars === undefined ? {} : { paths: bars }),
    };
  }
  return {
    label: line.label,
    stroke,
    width: LINE_WIDTH,
    spanGaps: false,
    ...(line.wash === undefined || line.bandTo !== undefined ? {} : { fill: colour(line.wash) }),
    points: {
      show: true,
      size: 4,
      width: 0,
      fill: stroke,
      // A value between two gaps has no line to be seen by.
      filter: () => lonely(line.values),
    },
  };
}

function bandsOf(lines: readonly Line[], colour: (token: string) => string): uPlot.Band[] {
  return lines.flatMap((line, index): uPlot.Band[] => {
    const lower = lines.findIndex((other) => other.key === line.bandTo);
    return lower < 0 || line.wash === undefined
      ? []
      : [{ series: [index + 1, lower + 1], fill: colour(line.wash) }];
  });
}

function axisStyle({ colour }: Setting): Partial<uPlot.Axis> {
  return { stroke: colour("--text-muted"), font: `11px ${fontFamily()}`, gap: 4 };
}

function fontFamily(): string {
  return getComputedStyle(document.body).fontFamily;
}

/** From zero to a little above the largest value; a chart of zeros keeps an axis. */
function yRange(_plot: uPlot, _low: number | null, high: number | null): uPlot.Range.MinMax {
  return [0, high === null || high <= 0 ? 1 : high * 1.06];
}
