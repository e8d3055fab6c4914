/**
 * What can be linked: the window, the filters, the choice of requests and the open request live in the
 * address, so that a pasted link shows the same page. What is not known there is dropped silently.
 */
import { DEFAULT_RANGE, type TimeWindow, WINDOW_MS_MIN, parseRange } from "./window";

/** What the page can be narrowed to, in the order in which chips show it. */
export const FILTERS = [
  "model",
  "pool",
  "replica",
  "endpoint",
  "outcome",
  "stream",
  "key",
  "user",
] as const;

/** The name of one filter. It is also the API's parameter. */
export type FilterName = (typeof FILTERS)[number];

/** The filters that are set. */
export type Filters = Readonly<Partial<Record<FilterName, string>>>;

/** Everything that the address says. */
export interface Address {
  readonly window: TimeWindow;
  readonly filters: Filters;
  /** Only failed requests in the list of requests. */
  readonly failuresOnly: boolean;
  /** The dimension that the breakdown is split by. */
  readonly by: string | null;
  /** The request that is open. */
  readonly request: string | null;
}

/** The longest filter value that is taken from an address: what the API takes too. */
const VALUE_LEN_MAX = 256;

/** Reads the query part of an address. */
export function parseAddress(query: string): Address {
  const params = new URLSearchParams(query);
  const filters: Partial<Record<FilterName, string>> = {};
  for (const name of FILTERS) {
    const value = params.get(name);
    if (value !== null && value !== "" && value.length <= VALUE_LEN_MAX) {
      filters[name] = value;
    }
  }
  return {
    window: parseWindow(params),
    filters,
    failuresOnly: params.get("show") === "failures",
    by: nonEmpty(params.get("by")),
    request: nonEmpty(params.get("request")),
  };
}

/** Writes the query part of an address; what is as usual is left out. Starts with `?` unless empty. */
export function formatAddress(address: Address): string {
  const params = new URLSearchParams();
  if (address.window.kind === "fixed") {
    params.set("from", new Date(address.window.fromMs).toISOString());
    params.set("to", new Date(address.window.toMs).toISOString());
  } else if (address.window.range !== DEFAULT_RANGE) {
    params.set("range", address.window.range);
  }
  for (const name of FILTERS) {
    const value = address.filters[name];
    if (value !== undefined) {
      params.set(name, value);
    }
  }
  if (address.failuresOnly) {
    params.set("show", "failures");
  }
  if (address.by !== null) {
    params.set("by", address.by);
  }
  if (address.request !== null) {
    params.set("request", address.request);
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

/** The filters with one of them set, or taken away by `null`. */
export function withFilter(filters: Filters, name: FilterName, value: string | null): Filters {
  const others = Object.fromEntries(Object.entries(filters).filter(([other]) => other !== name));
  return value === null ? others : { ...others, [name]: value };
}

/** Whether a word names a filter. */
export function isFilterName(word: string): word is FilterName {
  return FILTERS.some((name) => name === word);
}

function parseWindow(params: URLSearchParams): TimeWindow {
  const fromMs = Date.parse(params.get("from") ?? "");
  const toMs = Date.parse(params.get("to") ?? "");
  if (toMs - fromMs >= WINDOW_MS_MIN) {
    return { kind: "fixed", fromMs, toMs };
  }
  return { kind: "live", range: parseRange(params.get("range")) ?? DEFAULT_RANGE };
}

function nonEmpty(value: string | null): string | null {
  return value === "" || value === null || value.length > VALUE_LEN_MAX ? null : value;
}
