/** The culprit finder: names what stands out, and nobody by chance. */
import { describe, expect, it } from "vitest";

import { type Group, failureTints, suspects } from "./culprit";

function group(key: string | null, requests: number, failures: number): Group {
  return { key, requests, failures };
}

describe("a culprit", () => {
  it("is named with its share and its lift", () => {
    const found = suspects("replica", [
      group("gpu-01", 1_000, 5),
      group("gpu-02", 1_000, 5),
      group("gpu-07", 1_000, 120),
    ]);
    expect(found).toEqual([
      { dimension: "replica", value: "gpu-07", failures: 120, total: 130, lift: 24 },
    ]);
  });

  it("is found when the others never fail, without an endless number", () => {
    const [worst] = suspects("model", [group("a", 1_000_000, 0), group("b", 100, 50)]);
    expect(worst?.value).toBe("b");
    expect(worst?.lift).toBe(999);
  });

  it("comes first when it stands out most", () => {
    const found = suspects("replica", [
      group("a", 10_000, 1),
      group("b", 1_000, 60),
      group("c", 1_000, 90),
    ]);
    expect(found.map((suspect) => suspect.value)).toEqual(["c", "b"]);
  });
});

describe("a tint", () => {
  it("is for those who stand out, and the deeper the more they do", () => {
    const tints = failureTints([
      group("a", 10_000, 1),
      group("b", 1_000, 60),
      group("c", 1_000, 190),
      group(null, 100, 0),
    ]);
    expect([...tints.keys()].sort()).toEqual(["b", "c"]);
    expect(tints.get("c")).toBeGreaterThan(tints.get("b") ?? 1);
    expect(tints.get("c")).toBeLessThan(1);
  });

  it("is not for the only value with traffic, nor for the spread between equals", () => {
    expect(failureTints([group("a", 8_453, 44), group("typo", 32, 0)]).size).toBe(0);
    expect(failureTints([group("a", 2_133, 9), group("b", 2_131, 17)]).size).toBe(0);
  });
});

describe("nobody", () => {
  it("is suspected when failures are spread", () => {
    const even = [group("a", 1_000, 30), group("b", 1_000, 33), group("c", 1_000, 28)];
    expect(suspects("replica", even)).toEqual([]);
  });

  it("is suspected for a handful of failures", () => {
    expect(suspects("replica", [group("a", 1_000, 0), group("b", 10, 4)])).toEqual([]);
  });

  it("is suspected when chance would do the same", () => {
    expect(suspects("replica", [group("a", 20, 3), group("b", 20, 6)])).toEqual([]);
  });

  it("is suspected alone, or without a name", () => {
    expect(suspects("model", [group("only", 100, 50)])).toEqual([]);
    expect(suspects("model", [group(null, 100, 50), group("a", 1_000, 0)])).toEqual([]);
  });
});
