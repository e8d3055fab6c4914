/** Sparklines: from zero, over the whole width, with the pen lifted over gaps. */
import { describe, expect, it } from "vitest";

import { sparkPath } from "./spark";

describe("a sparkline", () => {
  it("starts at the left, ends at the right, and reaches the top with its largest value", () => {
    expect(sparkPath([0, 5, 10], 100, 20)).toBe("M0 19L50 10.5L100 2");
  });

  it("lifts the pen over a gap instead of drawing through it", () => {
    const path = sparkPath([1, 1, null, 1, 1], 100, 20);
    expect(path.match(/M/g), "two pieces").toHaveLength(2);
    expect(path).toContain("M75 2");
  });

  it("shows a value between two gaps as a dash", () => {
    expect(sparkPath([null, 4, null], 100, 20)).toBe("M25 2h50");
    expect(sparkPath([4, null, null], 100, 20), "at the edge too").toBe("M0 2h50");
  });

  it("lies on the ground when all values are zero", () => {
    expect(sparkPath([0, 0], 100, 20)).toBe("M0 19L100 19");
  });

  it("is nothing when nothing is known", () => {
    expect(sparkPath([null, null], 100, 20)).toBe("");
    expect(sparkPath([], 100, 20)).toBe("");
  });
});
