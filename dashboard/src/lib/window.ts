/**
 * The window of time that the page shows, and what follows from it: the parameters of the API, the
 * step of the charts, the pace of refreshing.
 */

/** The windows that end now. */
export const RANGES = ["15m", "1h", "6h", "24h", "7d"] as const;

/** One of them. */
export type RangeId = (typeof RANGES)[number];

/** What the page shows: a window that moves with the clock, or one that stands still. */
export type TimeWindow =
  | { readonly kind: "live"; readonly range: RangeId }
  | { readonly kind: "fixed"; readonly fromMs: number; readonly toMs: number };

/** A window as the API takes it. */
export interface Span {
  readonly from: string;
  readonly to: string;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

interface Range {
  readonly lengthMs: number;
  readonly refreshMs: number;
  /** How people call it in a sentence: "the hour before". */
  readonly noun: string;
}

const TABLE: Readonly<Record<RangeId, Range>> = {
  "15m": { lengthMs: 15 * MINUTE_MS, refreshMs: 2 * SECOND_MS, noun: "15 minutes" },
  "1h": { lengthMs: HOUR_MS, refreshMs: 5 * SECOND_MS, noun: "hour" },
  "6h": { lengthMs: 6 * HOUR_MS, refreshMs: 10 * SECOND_MS, noun: "6 hours" },
  "24h": { lengthMs: 24 * HOUR_MS, refreshMs: 30 * SECOND_MS, noun: "24 hours" },
  "7d": { lengthMs: 7 * 24 * HOUR_MS, refreshMs: 60 * SECOND_MS, noun: "7 days" },
};

/** The window of a page without a choice in its address. */
export const DEFAULT_RANGE: RangeId = "1h";

/** Steps that divide a minute, an hour or a day, so that bins stay put while the window moves. */
const STEPS_MS = [
  10 * SECOND_MS,
  30 * SECOND_MS,
  MINUTE_MS,
  2 * MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  3 * HOUR_MS,
  12 * HOUR_MS,
  24 * HOUR_MS,
];

/** The most points in a line: more than this is less than four pixels for each on a usual chart. */
const POINTS_MAX = 180;

/** Shortest window that a drag on a chart can choose: shorter ones hold too little to show. */
export const WINDOW_MS_MIN = 30 * SECOND_MS;

/** The range with this name, if there is one. */
export function parseRange(name: string | null): RangeId | null {
  return RANGES.find((range) => range === name) ?? null;
}

/** How long a window is. */
export function lengthMs(window: TimeWindow): number {
  return window.kind === "live" ? TABLE[window.range].lengthMs : window.toMs - window.fromMs;
}

/** How often a window is asked for again; `false` for one that ended. */
export function refreshMs(window: TimeWindow): number | false {
  return window.kind === "live" ? TABLE[window.range].refreshMs : false;
}

/** How often lines are asked for again: twice in a step, within the pace of the window and half a minute. */
export function seriesRefreshMs(window: TimeWindow): number | false {
  const figures = refreshMs(window);
  return figures === false
    ? false
    : Math.max(figures, Math.min(stepMs(window) / 2, 30 * SECOND_MS));
}

/** The finest step that keeps a line readable. */
export function stepMs(window: TimeWindow): number {
  const length = lengthMs(window);
  return STEPS_MS.find((step) => length / step <= POINTS_MAX) ?? 24 * HOUR_MS;
}

/** The two ends in milliseconds of the epoch, for the axis of a chart. */
export function ends(window: TimeWindow, nowMs: number): readonly [fromMs: number, toMs: number] {
  return window.kind === "live"
    ? [nowMs - TABLE[window.range].lengthMs, nowMs]
    : [window.fromMs, window.toMs];
}

/** The window as the API takes it. A moving one is relative, so that its address can be cached. */
export function span(window: TimeWindow): Span {
  return window.kind === "live"
    ? { from: `now-${window.range}`, to: "now" }
    : { from: new Date(window.fromMs).toISOString(), to: new Date(window.toMs).toISOString() };
}

/** The window of the same length just before. */
export function spanBefore(window: TimeWindow): Span {
  if (window.kind === "live") {
    const seconds = TABLE[window.range].lengthMs / SECOND_MS;
    return { from: `now-${2 * seconds}s`, to: `now-${window.range}` };
  }
  const start = window.fromMs - lengthMs(window);
  return { from: new Date(start).toISOString(), to: new Date(window.fromMs).toISOString() };
}

/** How a moving window is called in a sentence: "the last hour". */
export function nounOf(range: RangeId): string {
  return `the last ${TABLE[range].noun}`;
}

/** How the window before is called in a sentence. */
export function nounBefore(window: TimeWindow): string {
  return window.kind === "live" ? `the ${TABLE[window.range].noun} before` : "the window before";
}
