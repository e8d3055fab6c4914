/** The sentence on top: true to the figures, and green only when everything known is well. */
import { describe, expect, it } from "vitest";

import { type Told, type ToldReplica, plain, sentence } from "./sentence";

const WELL: Told = {
  requests: 42_118,
  failures: 0,
  error_rate: 0,
  outcomes: { success: 42_118 },
  ttft_ms: { count: 40_000, p95: 412 },
};

function replica(name: string, state: string | null = "up", failures = 0): ToldReplica {
  return { replica: name, state, figures: { failures } };
}

const PAIR = [replica("gpu-01:8000"), replica("gpu-02:8000")];

describe("when all is well", () => {
  it("is green and says so", () => {
    const told = sentence(
      WELL,
      { ...WELL, ttft_ms: { count: 9, p95: 500 } },
      PAIR,
      "the hour before",
    );
    expect(told.verdict).toBe("good");
    expect(plain(told)).toBe(
      "All 2 replicas serve. TTFT p95 412 ms, 18 % below the hour before. None of 42,118 requests failed.",
    );
  });

  it("counts one as one", () => {
    const told = sentence({ ...WELL, requests: 1 }, null, [replica("only:1")], "the hour before");
    expect(plain(told)).toBe(
      "The one replica serves. TTFT p95 412 ms. The one request did not fail.",
    );
  });
});

describe("when something is wrong", () => {
  const failing: Told = {
    ...WELL,
    failures: 126,
    error_rate: 126 / 42_118,
    outcomes: { success: 41_992, upstream_truncated: 120, rejected: 6 },
  };

  it("names the outcome and the replica that stand out, and links them", () => {
    const told = sentence(failing, null, [replica("gpu-07:8000", "up", 121), ...PAIR], "");
    expect(told.verdict).toBe("warn");
    expect(plain(told)).toContain(
      "0.3 % of 42,118 requests failed, mostly upstream_truncated on gpu-07:8000.",
    );
    expect(told.pieces.map((piece) => piece.target?.kind)).toEqual(
      expect.arrayContaining(["outcome", "replica"]),
    );
  });

  it("blames nobody when failures are spread", () => {
    const spread = { ...failing, outcomes: { rejected: 63, abandoned: 63 } };
    const told = sentence(spread, null, [replica("a:1", "up", 60), replica("b:1", "up", 66)], "");
    expect(plain(told)).toMatch(/0\.3 % of 42,118 requests failed\.$/);
  });

  it("names the replica alone when failures are of many kinds", () => {
    const mixed = { ...failing, outcomes: { rejected: 63, abandoned: 63 } };
    const told = sentence(mixed, null, [replica("a:1", "up", 120), replica("b:1", "up", 6)], "");
    expect(plain(told)).toMatch(/requests failed, mostly on a:1\.$/);
  });

  it("is red when many fail or nothing serves", () => {
    expect(sentence({ ...failing, error_rate: 0.05 }, null, PAIR, "").verdict).toBe("bad");
    const down = [replica("a:1", "down"), replica("b:1", "down")];
    expect(sentence(WELL, null, down, "").verdict).toBe("bad");
  });

  it("names the replica that is down", () => {
    const told = sentence(WELL, null, [replica("a:1"), replica("b:1", "down")], "");
    expect(told.verdict).toBe("warn");
    expect(plain(told)).toMatch(/^1 of 2 replicas serves; b:1 is down\. /);
  });

  it("turns amber when first tokens take half as long again, given enough streams", () => {
    const slow = { ...WELL, ttft_ms: { count: 500, p95: 700 } };
    expect(sentence(slow, WELL, PAIR, "the hour before").verdict).toBe("warn");
    const few = { ...WELL, ttft_ms: { count: 5, p95: 700 } };
    expect(sentence(few, WELL, PAIR, "the hour before").verdict).toBe("good");
  });
});

describe("when something is unknown", () => {
  it("is grey without a live proxy, and says no TTFT without a stream", () => {
    const told = sentence(
      { ...WELL, ttft_ms: { count: 0, p95: null } },
      null,
      [replica("a:1", null)],
      "",
    );
    expect(told.verdict).toBe("unknown");
    expect(plain(told)).toBe("No live proxy reports its replicas. None of 42,118 requests failed.");
  });

  it("is grey without requests", () => {
    const none: Told = {
      requests: 0,
      failures: 0,
      error_rate: null,
      outcomes: {},
      ttft_ms: { count: 0, p95: null },
    };
    const told = sentence(none, null, PAIR, "");
    expect(told.verdict).toBe("unknown");
    expect(plain(told)).toBe("All 2 replicas serve. No requests in this window.");
  });
});
