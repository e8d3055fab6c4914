/** The parts of a request's bar: to scale, in order, and nothing claimed that was not measured. */
import { describe, expect, it } from "vitest";

import { type Times, parts } from "./timing";

const STREAM: Times = {
  upload_ms: 2,
  queue_ms: 1,
  connect_ms: 3,
  ttft_ms: 100,
  ttfb_ms: 90,
  generation_ms: 800,
  engine_queue_ms: null,
  engine_ttft_ms: null,
  e2e_ms: 910,
};

function shape(times: Times): string[] {
  return parts(times).map((part) => `${part.name} ${part.lengthMs}`);
}

describe("a stream", () => {
  it("is upload, queue, connect, prefill, decode and the rest", () => {
    expect(shape(STREAM)).toEqual([
      "upload 2",
      "queue 1",
      "connect 3",
      "prefill 94",
      "decode 800",
      "rest 10",
    ]);
  });

  it("fills the whole request without holes", () => {
    let at = 0;
    for (const part of parts(STREAM)) {
      expect(part.startMs, part.name).toBeCloseTo(at, 9);
      at += part.lengthMs;
    }
    expect(at).toBeCloseTo(STREAM.e2e_ms, 9);
  });

  it("is split by the engine's own word where there is one", () => {
    const told = { ...STREAM, engine_queue_ms: 40, engine_ttft_ms: 50 };
    expect(shape(told).slice(3, 6)).toEqual(["engine-queue 40", "engine-prefill 50", "around 4"]);
    expect(shape({ ...told, engine_queue_ms: null })).toContain("around 44");
  });

  it("is not split by an engine that says more than there was", () => {
    expect(shape({ ...STREAM, engine_queue_ms: 90, engine_ttft_ms: 50 })).toContain("prefill 94");
    expect(shape({ ...STREAM, engine_queue_ms: 40 })).toContain("prefill 94");
  });

  it("has no part for a reused connection", () => {
    expect(shape({ ...STREAM, connect_ms: 0 })).not.toContain("connect 0");
  });

  it("ends with its first token when there was only one", () => {
    expect(shape({ ...STREAM, generation_ms: null, e2e_ms: 100 }).at(-1)).toBe("prefill 94");
  });
});

describe("an answer that was not a stream", () => {
  it("is wait and body, never a prefill", () => {
    expect(shape({ ...STREAM, ttft_ms: null, generation_ms: null })).toEqual([
      "upload 2",
      "queue 1",
      "connect 3",
      "wait 84",
      "body 820",
    ]);
  });
});

describe("a request that never reached a replica", () => {
  it("shows the time that nobody measured as not measured", () => {
    const refused: Times = {
      upload_ms: 1,
      queue_ms: null,
      connect_ms: null,
      ttft_ms: null,
      ttfb_ms: null,
      generation_ms: null,
      engine_queue_ms: null,
      engine_ttft_ms: null,
      e2e_ms: 5,
    };
    expect(shape(refused)).toEqual(["upload 1", "unknown 4"]);
  });

  it("is no part at all when it took no time", () => {
    const nothing: Times = {
      ...STREAM,
      upload_ms: null,
      queue_ms: null,
      connect_ms: null,
      ttft_ms: null,
      ttfb_ms: null,
      generation_ms: null,
      e2e_ms: 0,
    };
    expect(parts(nothing)).toEqual([]);
  });
});
