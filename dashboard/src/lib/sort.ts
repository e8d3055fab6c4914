/** The sorting of tables: stable, unknown last in both directions. */

/** What a table is sorted by. */
export interface SortState {
  readonly column: string;
  readonly direction: "up" | "down";
}

/** The rows in order. Equal rows keep their places; rows whose figure is unknown come last. */
export function sorted<Row>(
  rows: readonly Row[],
  order: (row: Row) => number | string | null,
  direction: SortState["direction"],
): Row[] {
  const sign = direction === "up" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const left = order(a);
    const right = order(b);
    if (left === null || right === null) {
      return left === right ? 0 : left === null ? 1 : -1;
    }
    return sign * compared(left, right);
  });
}

/**
 * The sorting after a column's header was pressed: numbers begin with the largest, words with the
 * first; a second press turns it, a third gives the order of the answer back.
 */
export function turned(sort: SortState | null, column: string, number: boolean): SortState | null {
  const first = number ? "down" : "up";
  if (sort?.column !== column) {
    return { column, direction: first };
  }
  return sort.direction === first ? { column, direction: number ? "up" : "down" } : null;
}

/** Fewer requests than this make a figure of chance: it is neither tinted nor a peer. */
const FOUNDED_REQUESTS_MIN = 20;

/** A figure that enough requests stand behind to be compared with others; unknown otherwise. */
export function founded(value: number | null, requests: number): number | null {
  return requests < FOUNDED_REQUESTS_MIN ? null : value;
}

/**
 * How far a figure is from the median of its peers in the bad direction, from 0 to 1: for the tint of
 * a cell. Twice the median is 0.5, four times is nearly 1. Less than three peers have no median to be
 * far from, and unknown is never tinted.
 */
export function distanceFromPeers(
  value: number | null,
  peers: readonly (number | null)[],
  enough: number,
): number {
  const known = peers.filter((peer) => peer !== null).sort((a, b) => a - b);
  if (value === null || known.length < 3) {
    return 0;
  }
  const middle = known[Math.floor(known.length / 2)] ?? 0;
  const times = value / Math.max(middle, enough);
  return times <= 1.25 ? 0 : Math.min(1, 1 - 1 / times);
}

function compared(left: number | string, right: number | string): number {
  if (typeof left === "number" && typeof right === "number") {
    return left - right;
  }
  return String(left).localeCompare(String(right), "en", { numeric: true });
}
