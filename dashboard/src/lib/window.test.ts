/** Windows of time: what the API is asked, how fine, how often. */
import { describe, expect, it } from "vitest";

import {
  RANGES,
  type TimeWindow,
  ends,
  lengthMs,
  nounBefore,
  nounOf,
  parseRange,
  refreshMs,
  seriesRefreshMs,
  span,
  spanBefore,
  stepMs,
} from "./window";

const HOUR: TimeWindow = { kind: "live", range: "1h" };
const FIXED: TimeWindow = {
  kind: "fixed",
  fromMs: Date.UTC(2026, 0, 2, 10),
  toMs: Date.UTC(2026, 0, 2, 11),
};

describe("a live window", () => {
  it("asks the API relative to now, and for the same length before", () => {
    expect(span(HOUR)).toEqual({ from: "now-1h", to: "now" });
    expect(spanBefore(HOUR)).toEqual({ from: "now-7200s", to: "now-1h" });
    expect(nounBefore(HOUR)).toBe("the hour before");
  });

  it("ends now", () => {
    expect(ends(HOUR, 10_000_000)).toEqual([6_400_000, 10_000_000]);
  });

  it("refreshes more slowly the longer it is", () => {
    const paces = RANGES.map((range) => Number(refreshMs({ kind: "live", range })));
    expect(paces).toEqual([...paces].sort((a, b) => a - b));
    expect(paces[0]).toBe(2_000);
    expect(seriesRefreshMs(HOUR), "lines change with their steps").toBe(15_000);
    expect(seriesRefreshMs(FIXED)).toBe(false);
  });
});

describe("a fixed window", () => {
  it("asks for exact ends and never again", () => {
    expect(span(FIXED)).toEqual({
      from: "2026-01-02T10:00:00.000Z",
      to: "2026-01-02T11:00:00.000Z",
    });
    expect(spanBefore(FIXED)).toEqual({
      from: "2026-01-02T09:00:00.000Z",
      to: "2026-01-02T10:00:00.000Z",
    });
    expect(refreshMs(FIXED)).toBe(false);
    expect(ends(FIXED, 0)).toEqual([FIXED.fromMs, FIXED.toMs]);
    expect(nounBefore(FIXED)).toBe("the window before");
  });
});

describe("steps", () => {
  it("keep every range between 60 and 180 points", () => {
    for (const range of RANGES) {
      const window: TimeWindow = { kind: "live", range };
      const points = lengthMs(window) / stepMs(window);
      expect(points, `points of ${range}`).toBeGreaterThanOrEqual(60);
      expect(points, `points of ${range}`).toBeLessThanOrEqual(180);
    }
  });

  it("reach from seconds to days", () => {
    expect(stepMs({ kind: "fixed", fromMs: 0, toMs: 60_000 })).toBe(10_000);
    expect(stepMs({ kind: "fixed", fromMs: 0, toMs: 400 * 86_400_000 })).toBe(86_400_000);
  });
});

describe("names", () => {
  it("are taken only when known", () => {
    expect(parseRange("6h")).toBe("6h");
    expect(parseRange("2h")).toBeNull();
    expect(parseRange(null)).toBeNull();
  });

  it("read as people say them", () => {
    expect(nounOf("1h")).toBe("the last hour");
    expect(nounOf("7d")).toBe("the last 7 days");
  });
});
