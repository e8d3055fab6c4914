/** Outcomes: failures are the server's, and a word from a newer server is judged neither way. */
import { describe, expect, it } from "vitest";

import { FAILURES, NOT_SUCCESS, ending, failureCount, isFailure, worstFailure } from "./outcome";

describe("failures", () => {
  it("leave out client errors and clients that left", () => {
    expect(FAILURES).toHaveLength(10);
    for (const innocent of ["success", "client_error", "client_cancelled"]) {
      expect(isFailure(innocent), innocent).toBe(false);
    }
    expect(isFailure("stream_error")).toBe(true);
  });

  it("are stacked together with the other ends but success", () => {
    expect(NOT_SUCCESS).toHaveLength(12);
    expect(NOT_SUCCESS).not.toContain("success");
  });
});

describe("a word that this page does not know", () => {
  it("is shown, but not judged", () => {
    expect(ending("melted").tone).toBe("quiet");
    expect(isFailure("melted")).toBe(false);
    expect(isFailure("toString"), "nor is a member of every object").toBe(false);
  });
});

describe("counts", () => {
  const outcomes = {
    success: 900,
    client_cancelled: 50,
    rejected: 3,
    upstream_truncated: 7,
    timeout_idle: 7,
  };

  it("add up the failures alone", () => {
    expect(failureCount(outcomes)).toBe(17);
    expect(failureCount({})).toBe(0);
  });

  it("name the most frequent failure, the first of equals", () => {
    expect(worstFailure(outcomes)).toEqual({ outcome: "upstream_truncated", requests: 7 });
    expect(worstFailure({ success: 5, client_error: 2 })).toBeNull();
    expect(worstFailure({ rejected: 0 })).toBeNull();
  });
});

describe("meanings", () => {
  it("are one sentence each", () => {
    for (const outcome of ["success", ...NOT_SUCCESS]) {
      expect(ending(outcome).meaning, outcome).toMatch(/^[A-Z].*\.$/);
    }
  });
});
