/** Addresses: a pasted link shows the same page, and a broken one shows the usual page. */
import { describe, expect, it } from "vitest";

import { type Address, formatAddress, isFilterName, parseAddress, withFilter } from "./address";

const USUAL: Address = {
  window: { kind: "live", range: "1h" },
  filters: {},
  failuresOnly: false,
  by: null,
  request: null,
};

describe("the usual page", () => {
  it("has an empty query, both ways", () => {
    expect(parseAddress("")).toEqual(USUAL);
    expect(formatAddress(USUAL)).toBe("");
  });

  it("is what a broken link shows", () => {
    for (const query of ["?range=2h", "?from=yesterday&to=now", "?model=", "?show=x&foo=bar"]) {
      expect(parseAddress(query), query).toEqual(USUAL);
    }
  });

  it("is what a window that ends before it starts shows", () => {
    const query = "?from=2026-01-02T11:00:00Z&to=2026-01-02T10:00:00Z";
    expect(parseAddress(query).window).toEqual({ kind: "live", range: "1h" });
  });

  it("takes no value that the API would refuse for its length", () => {
    expect(parseAddress(`?model=${"m".repeat(300)}`)).toEqual(USUAL);
  });
});

describe("a link", () => {
  const chosen: Address = {
    window: { kind: "live", range: "6h" },
    filters: { model: "meta-llama/Llama-3.3-70B", replica: "10.0.0.7:8000", outcome: "rejected" },
    failuresOnly: true,
    by: "endpoint",
    request: "0199-abc",
  };

  it("comes back as it was", () => {
    expect(parseAddress(formatAddress(chosen))).toEqual(chosen);
  });

  it("keeps an exact window to the millisecond", () => {
    const fixed: Address = {
      ...USUAL,
      window: { kind: "fixed", fromMs: 1_767_348_000_123, toMs: 1_767_351_600_456 },
    };
    expect(parseAddress(formatAddress(fixed))).toEqual(fixed);
  });

  it("survives characters with a meaning in addresses", () => {
    const odd: Address = { ...USUAL, filters: { model: "a&b=c?d#e +%25" } };
    expect(parseAddress(formatAddress(odd))).toEqual(odd);
  });
});

describe("filters", () => {
  it("are set and taken away one at a time", () => {
    const both = withFilter({ model: "a" }, "replica", "r");
    expect(both).toEqual({ model: "a", replica: "r" });
    expect(withFilter(both, "model", null)).toEqual({ replica: "r" });
    expect(withFilter(both, "model", "b")).toEqual({ model: "b", replica: "r" });
  });

  it("have the names of the API", () => {
    expect(isFilterName("model")).toBe(true);
    expect(isFilterName("colour")).toBe(false);
  });
});
