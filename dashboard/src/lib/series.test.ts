/** Series: gaps stay gaps, stacks add up, and an unfinished step is left out. */
import { describe, expect, it } from "vitest";

import { aligned, ended, largest, lastRow, lonely, stacked } from "./series";

describe("aligned", () => {
  it("puts series with different steps over the union of their times", () => {
    const columns = aligned([
      [
        [2_000, 2],
        [1_000, 1],
      ],
      [
        [2_000, 20],
        [3_000, null],
      ],
    ]);
    expect(columns.times).toEqual([1, 2, 3]);
    expect(columns.values).toEqual([
      [1, 2, null],
      [null, 20, null],
    ]);
  });

  it("keeps a measured zero apart from a gap", () => {
    const columns = aligned([
      [
        [1_000, 0],
        [2_000, null],
      ],
    ]);
    expect(columns.values[0]).toEqual([0, null]);
  });

  it("of nothing is empty", () => {
    expect(aligned([])).toEqual({ times: [], values: [] });
  });
});

describe("stacked", () => {
  it("adds each column to those below it", () => {
    expect(
      stacked([
        [1, null, null],
        [2, 3, null],
        [null, 4, null],
      ]),
    ).toEqual([
      [1, null, null],
      [3, 3, null],
      [3, 7, null],
    ]);
  });
});

describe("extremes", () => {
  it("are unknown when everything is a gap", () => {
    expect(largest([[null, null]])).toBeNull();
    expect(lastRow([[null, null], []])).toBeNull();
  });

  it("look at all columns", () => {
    expect(
      largest([
        [1, 5],
        [null, 3],
      ]),
    ).toBe(5);
    expect(
      lastRow([
        [1, null, null],
        [null, 3, null],
      ]),
      "the last that any has, when none has all",
    ).toBe(1);
    expect(
      lastRow([
        [1, 2, null],
        [1, 2, 3],
      ]),
      "the last that all have",
    ).toBe(1);
    expect(lastRow([[0]]), "a zero is a value").toBe(0);
  });
});

describe("lonely points", () => {
  it("are those that a line would not show", () => {
    expect(lonely([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  });
});

describe("lines without the running step", () => {
  it("drop only the step that has not ended", () => {
    const points = [
      [0, 1],
      [10_000, 2],
      [20_000, 3],
    ] as const;
    expect(ended(points, 10_000, 20_000).map(([ms]) => ms)).toEqual([0, 10_000]);
    expect(ended(points, 10_000, 30_000)).toHaveLength(3);
  });

  it("keep the running step while nothing else is known", () => {
    const first = [
      [0, null],
      [10_000, 5],
    ] as const;
    expect(ended(first, 10_000, 15_000)).toEqual(first);
  });
});
