/**
 * From the API's series to the columns of a chart. A step without a value stays a gap: nothing here
 * interpolates, smooths or fills with zeros.
 */

/** A step's start in milliseconds of the epoch, and its value; `null` is a gap. */
export type Point = readonly [number, number | null];

/** One line, as long as the column of times that belongs to it. */
export type Column = readonly (number | null)[];

/** Lines that share their times. Times are in seconds, as the chart library wants them. */
export interface Columns {
  readonly times: readonly number[];
  readonly values: readonly Column[];
}

/** Puts several series over one column of times: the union of theirs, sorted, gaps where one has none. */
export function aligned(series: readonly (readonly Point[])[]): Columns {
  const moments = new Set<number>();
  for (const points of series) {
    for (const [ms] of points) {
      moments.add(ms);
    }
  }
  const sorted = [...moments].sort((a, b) => a - b);
  const rows = new Map(sorted.map((ms, row) => [ms, row]));
  const values = series.map((points) => {
    const column: (number | null)[] = sorted.map(() => null);
    for (const [ms, value] of points) {
      const row = rows.get(ms);
      if (row !== undefined) {
        column[row] = value;
      }
    }
    return column;
  });
  return { times: sorted.map((ms) => ms / 1_000), values };
}

/** Running sums over the columns, for bars that stand on each other. A gap in all of them stays a gap. */
export function stacked(columns: readonly Column[]): readonly Column[] {
  const sums: (number | null)[] = [];
  return columns.map((column) =>
    column.map((value, row) => {
      const below = sums[row] ?? null;
      const sum = value === null ? below : value + (below ?? 0);
      sums[row] = sum;
      return sum;
    }),
  );
}

/** The largest value of some columns; `null` when every one is a gap. */
export function largest(columns: readonly Column[]): number | null {
  let most: number | null = null;
  for (const column of columns) {
    for (const value of column) {
      if (value !== null && (most === null || value > most)) {
        most = value;
      }
    }
  }
  return most;
}

/**
 * The last row that every column has a value in, or else that any has: answers that come one after
 * another end in different steps. `null` when there is none.
 */
export function lastRow(columns: readonly Column[]): number | null {
  const lengths = columns.map((column) => column.length);
  let last: number | null = null;
  for (let row = Math.max(0, ...lengths) - 1; row >= 0; row -= 1) {
    const known = columns.filter((column) => (column[row] ?? null) !== null).length;
    if (known === columns.length) {
      return row;
    }
    if (known > 0) {
      last ??= row;
    }
  }
  return last;
}

/** Rows whose value has a gap on both sides: a line alone would not show them. */
export function lonely(column: Column): number[] {
  const rows: number[] = [];
  column.forEach((value, row) => {
    const before = column[row - 1] ?? null;
    const after = column[row + 1] ?? null;
    if (value !== null && before === null && after === null) {
      rows.push(row);
    }
  });
  return rows;
}

/**
 * The points without the step that has not ended yet: its counts are still growing, so that a line
 * through it would always seem to fall, and its percentiles are of few requests. It stays while nothing
 * else is known, so that a first request is seen at once.
 */
export function ended(points: readonly Point[], stepMs: number, nowMs: number): readonly Point[] {
  const complete = points.filter(([ms]) => ms + stepMs <= nowMs);
  return complete.some(([, value]) => value !== null) ? complete : points;
}
