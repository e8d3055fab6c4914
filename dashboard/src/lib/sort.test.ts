/** Sorting: stable, unknown last; and the distance of a figure from its peers. */
import { describe, expect, it } from "vitest";

import { distanceFromPeers, founded, sorted, turned } from "./sort";

const ROWS = [
  { name: "gpu-10", ms: 5 },
  { name: "gpu-2", ms: null },
  { name: "gpu-1", ms: 9 },
  { name: "gpu-3", ms: 5 },
];

function names(
  direction: "up" | "down",
  order: (row: (typeof ROWS)[number]) => number | string | null,
) {
  return sorted(ROWS, order, direction).map((row) => row.name);
}

describe("sorted", () => {
  it("puts unknown last in both directions and keeps equals in place", () => {
    expect(names("up", (row) => row.ms)).toEqual(["gpu-10", "gpu-3", "gpu-1", "gpu-2"]);
    expect(names("down", (row) => row.ms)).toEqual(["gpu-1", "gpu-10", "gpu-3", "gpu-2"]);
  });

  it("reads numbers inside of names", () => {
    expect(names("up", (row) => row.name)).toEqual(["gpu-1", "gpu-2", "gpu-3", "gpu-10"]);
  });

  it("leaves the rows that it was given alone", () => {
    const before = [...ROWS];
    sorted(ROWS, (row) => row.name, "up");
    expect(ROWS).toEqual(before);
  });
});

describe("turned", () => {
  it("goes from largest to smallest, to smallest first, to the answer's order", () => {
    const first = turned(null, "ms", true);
    expect(first).toEqual({ column: "ms", direction: "down" });
    const second = turned(first, "ms", true);
    expect(second).toEqual({ column: "ms", direction: "up" });
    expect(turned(second, "ms", true)).toBeNull();
  });

  it("begins anew with another column", () => {
    expect(turned({ column: "ms", direction: "up" }, "name", false)).toEqual({
      column: "name",
      direction: "up",
    });
  });
});

describe("distance from peers", () => {
  it("is zero at and below the median, and grows above it", () => {
    const peers = [100, 100, 100, 400];
    expect(distanceFromPeers(100, peers, 1)).toBe(0);
    expect(distanceFromPeers(20, peers, 1)).toBe(0);
    expect(distanceFromPeers(400, peers, 1)).toBe(0.75);
  });

  it("says nothing without peers, without a figure, or about trifles", () => {
    expect(distanceFromPeers(400, [100, 400], 1)).toBe(0);
    expect(distanceFromPeers(null, [1, 2, 3], 1)).toBe(0);
    expect(distanceFromPeers(0.002, [0, 0, 0, 0.002], 0.01)).toBe(0);
  });

  it("does not look at figures of a few requests", () => {
    const peers = [founded(0.007, 1_950), founded(0, 7), founded(0, 2)];
    expect(distanceFromPeers(founded(0.007, 1_950), peers, 0.001)).toBe(0);
    expect(distanceFromPeers(founded(0.5, 2), [0, 0, 0], 0.001)).toBe(0);
  });
});
