/** Axes: a 24 hour clock, days where days matter, and one unit for a whole axis. */
import { describe, expect, it } from "vitest";

import { clock, dayAndClock, durationAxis, plainAxis, tickLabel } from "./ticks";

/** In the reader's own zone, whatever it is where the test runs. */
function at(hours: number, minutes = 0, seconds = 0): number {
  return new Date(2026, 10, 23, hours, minutes, seconds).getTime();
}

describe("ticks of time", () => {
  it("show seconds only when ticks are closer than a minute", () => {
    expect(tickLabel(at(14, 3, 30) / 1_000, 30)).toBe("14:03:30");
    expect(tickLabel(at(14, 3) / 1_000, 60)).toBe("14:03");
  });

  it("name the day at midnight and when ticks are days", () => {
    expect(tickLabel(at(0) / 1_000, 3_600)).toBe("23 Nov");
    expect(tickLabel(at(14) / 1_000, 86_400)).toBe("23 Nov");
  });
});

describe("moments", () => {
  it("are on a 24 hour clock", () => {
    expect(clock(at(4, 5, 6))).toBe("04:05:06");
    expect(dayAndClock(at(23, 59, 59))).toBe("23 Nov 23:59:59");
  });
});

describe("an axis of durations", () => {
  it("has one unit for all its ticks", () => {
    const short = durationAxis(800);
    expect([short.unit, short.text(0), short.text(250), short.text(0.5)]).toEqual([
      "ms",
      "0",
      "250",
      "0.5",
    ]);
    const long = durationAxis(12_000);
    expect([long.unit, long.text(0), long.text(500), long.text(10_000)]).toEqual([
      "s",
      "0",
      "0.5",
      "10",
    ]);
  });

  it("is in milliseconds when nothing is known", () => {
    expect(durationAxis(null).unit).toBe("ms");
  });
});

describe("an axis of figures", () => {
  it("shortens thousands only when it reaches ten of them", () => {
    expect(plainAxis(9_000, "tok/s").text(2_500)).toBe("2,500");
    const wide = plainAxis(40_000, "tok/s");
    expect([wide.text(0), wide.text(2_500), wide.text(40_000)]).toEqual(["0", "2.5k", "40k"]);
  });
});
