/**
 * How figures are written: one way for each kind of quantity, everywhere on the page.
 * An unknown figure is a dash, never a zero.
 */

/** What stands where a figure is unknown. */
export const UNKNOWN = "–";

/** A figure and its unit, apart, so that a tile can set them in two sizes. */
export interface Figure {
  readonly value: string;
  readonly unit: string;
}

/** A figure or nothing: the API says `null`, an absent member is `undefined`. */
export type Maybe = number | null | undefined;

/** A change against a figure of before. */
export interface Change {
  readonly text: string;
  readonly direction: "up" | "down" | "flat";
  /** Whether it is more than the usual spread between two windows, and worth a judgement. */
  readonly notable: boolean;
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en-US", {
  notation: "compact",
  maximumSignificantDigits: 3,
});

/** From here on a count is shortened in a tile: six digits are the most that read at a glance. */
const COMPACT_FROM = 1_000_000;

/** Smaller changes are shown, but not judged. */
const NOTABLE_PERCENT = 10;

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Whether a figure is known. */
export function isKnown(value: Maybe): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** A count in full: `42,118`. */
export function count(value: Maybe): string {
  return isKnown(value) ? WHOLE.format(value) : UNKNOWN;
}

/** A count that may be shortened: `42,118`, `1.24M`. */
export function shortCount(value: Maybe): string {
  if (!isKnown(value)) {
    return UNKNOWN;
  }
  return value >= COMPACT_FROM ? COMPACT.format(value) : WHOLE.format(value);
}

/** Three significant digits without an exponent: `0.42`, `8.25`, `41.2`, `412`, `4,120`. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || size >= 99.95) {
    return WHOLE.format(value);
  }
  const digits = size >= 9.995 ? 1 : 2;
  return value.toFixed(digits);
}

/** A duration given in milliseconds, scaled: `840 µs`, `8.25 ms`, `412 ms`, `1.24 s`, `2 min 05 s`. */
export function durationFigure(ms: Maybe): Figure {
  if (!isKnown(ms)) {
    return { value: UNKNOWN, unit: "" };
  }
  if (ms > 0 && ms < 1) {
    return { value: threeDigits(ms * 1_000), unit: "µs" };
  }
  if (ms < 999.5) {
    return { value: threeDigits(ms), unit: "ms" };
  }
  if (ms < MINUTE_MS) {
    return { value: threeDigits(ms / SECOND_MS), unit: "s" };
  }
  const minutes = Math.floor(ms / MINUTE_MS);
  const seconds = Math.floor((ms % MINUTE_MS) / SECOND_MS);
  return { value: `${minutes} min ${String(seconds).padStart(2, "0")}`, unit: "s" };
}

/** A duration in one piece of text. */
export function duration(ms: Maybe): string {
  return joined(durationFigure(ms));
}

/** A rate, with the unit that the caller counts: `0.42 req/s`, `1,240 tok/s`. */
export function rateFigure(perSecond: Maybe, unit: string): Figure {
  if (!isKnown(perSecond)) {
    return { value: UNKNOWN, unit: "" };
  }
  return {
    value: perSecond >= COMPACT_FROM ? COMPACT.format(perSecond) : threeDigits(perSecond),
    unit,
  };
}

/** A share of one as per cent: `0 %`, `< 0.01 %`, `0.3 %`, `12 %`. */
export function shareFigure(share: Maybe): Figure {
  if (!isKnown(share)) {
    return { value: UNKNOWN, unit: "" };
  }
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) {
    return { value: "< 0.01", unit: "%" };
  }
  const digits = percent === 0 || percent >= 99.95 ? 0 : percent < 0.1 ? 2 : 1;
  return { value: percent.toFixed(digits), unit: "%" };
}

/** A share in one piece of text. */
export function share(value: Maybe): string {
  return joined(shareFigure(value));
}

/** How a figure moved, in per cent of the one before; nothing when either is unknown or there was no before. */
export function change(now: Maybe, before: Maybe): Change | null {
  if (!isKnown(now) || !isKnown(before) || before === 0) {
    return null;
  }
  const percent = ((now - before) / before) * 100;
  if (Math.abs(percent) < 0.5) {
    return { text: "±0 %", direction: "flat", notable: false };
  }
  const sign = percent > 0 ? "+" : "−";
  const size = Math.abs(percent);
  const text = size >= 1_000 ? `×${threeDigits(now / before)}` : `${sign}${WHOLE.format(size)} %`;
  const direction = percent > 0 ? "up" : "down";
  return { text, direction, notable: size >= NOTABLE_PERCENT };
}

/** A size in bytes: `840 B`, `12.4 kB`, `3.1 MB`. */
export function bytes(value: Maybe): string {
  if (!isKnown(value)) {
    return UNKNOWN;
  }
  if (value < 1_000) {
    return `${WHOLE.format(value)} B`;
  }
  return value < 1_000_000
    ? `${threeDigits(value / 1_000)} kB`
    : `${threeDigits(value / 1_000_000)} MB`;
}

/** An age in whole units: `2 s`, `5 min`, `3 h`, `2 d`. */
export function age(ms: number): string {
  const size = Math.max(0, ms);
  if (size < MINUTE_MS) {
    return `${Math.floor(size / SECOND_MS)} s`;
  }
  if (size < HOUR_MS) {
    return `${Math.floor(size / MINUTE_MS)} min`;
  }
  return size < DAY_MS ? `${Math.floor(size / HOUR_MS)} h` : `${Math.floor(size / DAY_MS)} d`;
}

/** A figure and its unit as text. */
export function joined(figure: Figure): string {
  return figure.unit === "" ? figure.value : `${figure.value} ${figure.unit}`;
}
