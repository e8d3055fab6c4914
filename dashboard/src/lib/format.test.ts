/** Figures as people read them: three digits, scaled units, a dash for what is unknown. */
import { describe, expect, it } from "vitest";

import {
  UNKNOWN,
  age,
  bytes,
  change,
  count,
  duration,
  rateFigure,
  share,
  shortCount,
  threeDigits,
} from "./format";

describe("unknown figures", () => {
  it("are a dash and never a zero", () => {
    for (const text of [count(null), duration(undefined), share(null), bytes(null)]) {
      expect(text).toBe(UNKNOWN);
    }
    expect(rateFigure(null, "req/s")).toEqual({ value: UNKNOWN, unit: "" });
    expect(duration(Number.NaN), "not a number is unknown too").toBe(UNKNOWN);
  });

  it("are told from a measured zero", () => {
    expect(count(0)).toBe("0");
    expect(duration(0)).toBe("0 ms");
    expect(share(0)).toBe("0 %");
  });
});

describe("durations", () => {
  it.each([
    [0.04, "40.0 µs"],
    [0.84, "840 µs"],
    [8.25, "8.25 ms"],
    [41.23, "41.2 ms"],
    [412.4, "412 ms"],
    [999.7, "1.00 s"],
    [1_240, "1.24 s"],
    [59_900, "59.9 s"],
    [125_000, "2 min 05 s"],
  ])("%d ms reads %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe("counts, rates and shares", () => {
  it("keep three digits where there is a fraction", () => {
    expect([0, 0.42, 9.99, 10, 99.94, 99.96, 4_120].map(threeDigits)).toEqual([
      "0",
      "0.42",
      "9.99",
      "10.0",
      "99.9",
      "100",
      "4,120",
    ]);
  });

  it("shorten only what is too long for a tile", () => {
    expect(shortCount(42_118)).toBe("42,118");
    expect(shortCount(1_240_000)).toBe("1.24M");
  });

  it("never round a failure away", () => {
    expect(share(0.000_001)).toBe("< 0.01 %");
    expect(share(0.000_5)).toBe("0.05 %");
    expect(share(0.003)).toBe("0.3 %");
    expect(share(1)).toBe("100 %");
  });
});

describe("change against before", () => {
  it("says direction and size", () => {
    expect(change(118, 100)).toEqual({ text: "+18 %", direction: "up", notable: true });
    expect(change(90, 100)).toEqual({ text: "−10 %", direction: "down", notable: true });
    expect(change(100.2, 100)).toEqual({ text: "±0 %", direction: "flat", notable: false });
    expect(change(2_400, 100)).toEqual({ text: "×24.0", direction: "up", notable: true });
  });

  it("judges no small one", () => {
    expect(change(106, 100)).toEqual({ text: "+6 %", direction: "up", notable: false });
  });

  it("says nothing without a before", () => {
    expect(change(5, 0)).toBeNull();
    expect(change(5, null)).toBeNull();
    expect(change(null, 5)).toBeNull();
  });
});

describe("ages and sizes", () => {
  it("use one whole unit", () => {
    expect([-5, 2_400, 61_000, 3_700_000, 200_000_000].map(age)).toEqual([
      "0 s",
      "2 s",
      "1 min",
      "1 h",
      "2 d",
    ]);
    expect([840, 12_400, 3_100_000].map(bytes)).toEqual(["840 B", "12.4 kB", "3.10 MB"]);
  });
});
