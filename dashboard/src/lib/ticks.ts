/**
 * Labels of axes: time in the reader's own zone on a 24 hour clock, and figures whose unit is chosen
 * once for a whole axis, so that milliseconds and seconds never mix.
 */
import { threeDigits } from "./format";

/** A unit for an axis: its name, and how a value is written in it. */
export interface AxisUnit {
  readonly unit: string;
  readonly text: (value: number) => string;
}

const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
] as const;

const MINUTE_S = 60;
const DAY_S = 86_400;

/** From this many milliseconds on, an axis of durations is in seconds. */
const SECONDS_FROM_MS = 2_000;

/** The label of a tick of time, given in seconds of the epoch; `incr` is the distance of two ticks. */
export function tickLabel(seconds: number, incr: number): string {
  const moment = new Date(seconds * 1_000);
  const midnight = moment.getHours() === 0 && moment.getMinutes() === 0;
  if (incr >= DAY_S || (midnight && moment.getSeconds() === 0)) {
    return dayLabel(moment);
  }
  return incr < MINUTE_S ? clock(moment.getTime()) : clock(moment.getTime()).slice(0, 5);
}

/** The time of day with seconds: `14:03:07`. */
export function clock(ms: number): string {
  const moment = new Date(ms);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** Day and time: `23 Nov 14:03:07`. */
export function dayAndClock(ms: number): string {
  return `${dayLabel(new Date(ms))} ${clock(ms)}`;
}

/** The unit for an axis of durations, whose largest value is given in milliseconds. */
export function durationAxis(largestMs: number | null): AxisUnit {
  if (largestMs !== null && largestMs >= SECONDS_FROM_MS) {
    return { unit: "s", text: (ms) => trimmed(ms / 1_000) };
  }
  return { unit: "ms", text: trimmed };
}

/** The unit for an axis of plain figures: thousands are shortened once the axis reaches them. */
export function plainAxis(largest: number | null, unit: string): AxisUnit {
  if (largest !== null && largest >= 10_000) {
    return { unit, text: (value) => (value === 0 ? "0" : `${trimmed(value / 1_000)}k`) };
  }
  return { unit, text: trimmed };
}

function dayLabel(moment: Date): string {
  return `${moment.getDate()} ${MONTHS[moment.getMonth()] ?? ""}`;
}

function trimmed(value: number): string {
  return threeDigits(value).replace(/\.0+$|(\.\d*?)0+$/, "$1");
}
