/**
 * What the page asks the server, as queries of TanStack Query. Each is asked again at the pace of its
 * window; the last good answer stays while a newer one is on its way or failed to come.
 */
import {
  type UseInfiniteQueryResult,
  type UseQueryResult,
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
} from "@tanstack/react-query";

import type { Filters } from "../lib/address";
import { FAILURES } from "../lib/outcome";
import {
  type Span,
  type TimeWindow,
  refreshMs,
  seriesRefreshMs,
  span,
  spanBefore,
  stepMs,
} from "../lib/window";
import { type Schemas, bodyOf, client } from "./client";
import { dimensionValues, endpointValues, outcomeValues } from "./schema";

/** What all questions of a page have in common. */
export interface Scope {
  readonly window: TimeWindow;
  readonly filters: Filters;
  /** Nothing is asked again while the reader has paused the page. */
  readonly paused: boolean;
}

/** A figure that is shown over time. */
export type Metric = Schemas["Metric"];

/** What figures can be split by. */
export type Dimension = Schemas["Dimension"];

/** Requests on one page of the list. */
const PAGE_LEN = 50;

/** Replicas change slowly and are shown live: asked at this pace whatever the window is. */
const REPLICAS_REFRESH_MS = 3_000;

/** The values to filter by seldom change. */
const FACETS_REFRESH_MS = 60_000;

/** The figures of the window. */
export function useSummary(scope: Scope): UseQueryResult<Schemas["Summary"]> {
  return useSummaryOf(scope, span(scope.window));
}

/** The figures of the window before. */
export function useSummaryBefore(scope: Scope): UseQueryResult<Schemas["Summary"]> {
  return useSummaryOf(scope, spanBefore(scope.window));
}

function useSummaryOf(scope: Scope, of: Span): UseQueryResult<Schemas["Summary"]> {
  const query = { ...of, ...filterParams(scope.filters) };
  return useQuery({
    queryKey: ["summary", query],
    queryFn: ({ signal }) => bodyOf(client.GET("/api/v1/summary", { params: { query }, signal })),
    refetchInterval: pace(scope, refreshMs(scope.window)),
    placeholderData: keepPreviousData,
  });
}

/** One metric over the window, perhaps one series for each value of a dimension. */
export function useTimeseries(
  scope: Scope,
  metric: Metric,
  by?: Dimension,
): UseQueryResult<Schemas["Timeseries"]> {
  const query = {
    metric,
    step: `${stepMs(scope.window) / 1_000}s`,
    ...(by === undefined ? {} : { by }),
    ...span(scope.window),
    ...filterParams(scope.filters),
  };
  return useQuery({
    queryKey: ["timeseries", query],
    queryFn: ({ signal }) =>
      bodyOf(client.GET("/api/v1/timeseries", { params: { query }, signal })),
    refetchInterval: pace(scope, seriesRefreshMs(scope.window)),
    placeholderData: keepPreviousData,
  });
}

/** The figures of the window, split by a dimension. */
export function useBreakdown(scope: Scope, by: Dimension): UseQueryResult<Schemas["Breakdown"]> {
  const query = { by, ...span(scope.window), ...filterParams(scope.filters) };
  return useQuery({
    queryKey: ["breakdown", query],
    queryFn: ({ signal }) => bodyOf(client.GET("/api/v1/breakdown", { params: { query }, signal })),
    refetchInterval: pace(scope, seriesRefreshMs(scope.window)),
    placeholderData: keepPreviousData,
  });
}

/** The replicas now, with their figures in the window. */
export function useReplicas(scope: Scope): UseQueryResult<Schemas["Replicas"]> {
  const query = { ...span(scope.window), ...filterParams(scope.filters) };
  return useQuery({
    queryKey: ["replicas", query],
    queryFn: ({ signal }) => bodyOf(client.GET("/api/v1/replicas", { params: { query }, signal })),
    refetchInterval: scope.paused ? false : REPLICAS_REFRESH_MS,
    placeholderData: keepPreviousData,
  });
}

/** The values that occur in the window, without regard to the filters that are set. */
export function useFacets(scope: Scope): UseQueryResult<Schemas["Facets"]> {
  const query = span(scope.window);
  return useQuery({
    queryKey: ["facets", query],
    queryFn: ({ signal }) => bodyOf(client.GET("/api/v1/facets", { params: { query }, signal })),
    refetchInterval: pace(scope, FACETS_REFRESH_MS),
    placeholderData: keepPreviousData,
  });
}

/**
 * The latest requests, page by page. Only a list of one page is asked again by itself: once older
 * requests are shown, rows must not move under the reader's eyes.
 */
export function useRequests(
  scope: Scope,
  failuresOnly: boolean,
): UseInfiniteQueryResult<{ readonly pages: readonly Schemas["RequestsPage"][] }> {
  const filters = filterParams(scope.filters);
  const outcome = filters.outcome ?? (failuresOnly ? outcomesNamed(FAILURES) : undefined);
  const query = {
    ...span(scope.window),
    ...filters,
    ...(outcome === undefined ? {} : { outcome }),
    limit: PAGE_LEN,
  };
  const first: string | null = null;
  return useInfiniteQuery({
    queryKey: ["requests", query],
    queryFn: ({ signal, pageParam }: { signal: AbortSignal; pageParam: string | null }) => {
      const page = pageParam === null ? query : { ...query, cursor: pageParam };
      return bodyOf(client.GET("/api/v1/requests", { params: { query: page }, signal }));
    },
    initialPageParam: first,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) > 1 ? false : pace(scope, refreshMs(scope.window)),
    placeholderData: keepPreviousData,
  });
}

/** One request by its id. A request never changes once it is recorded. */
export function useRequest(id: string): UseQueryResult<Schemas["RequestRecord"]> {
  return useQuery({
    queryKey: ["request", id],
    queryFn: ({ signal }) =>
      bodyOf(client.GET("/api/v1/requests/{id}", { params: { path: { id } }, signal })),
    staleTime: Infinity,
  });
}

/** What the server says about itself. */
export function useAbout(): UseQueryResult<Schemas["About"]> {
  return useQuery({
    queryKey: ["about"],
    queryFn: ({ signal }) => bodyOf(client.GET("/api/v1/about", { signal })),
    refetchInterval: ({ state }) => (state.data?.ready === true ? false : REPLICAS_REFRESH_MS),
  });
}

/** The filters without values that the API does not know, which it would refuse. */
export function knownFilters(filters: Filters): Filters {
  const { endpoint, outcome, stream, ...others } = filters;
  return {
    ...others,
    ...(endpointValues.some((word) => word === endpoint) && endpoint !== undefined
      ? { endpoint }
      : {}),
    ...(outcomeValues.some((word) => word === outcome) && outcome !== undefined ? { outcome } : {}),
    ...(stream === "true" || stream === "false" ? { stream } : {}),
  };
}

/** The dimension that a word names. */
export function dimensionNamed(word: string | null): Dimension | null {
  return dimensionValues.find((dimension) => dimension === word) ?? null;
}

function outcomesNamed(words: readonly string[]): Schemas["Outcome"][] {
  return outcomeValues.filter((outcome) => words.includes(outcome));
}

interface FilterParams {
  readonly model?: string[];
  readonly pool?: string[];
  readonly replica?: string[];
  readonly endpoint?: Schemas["Endpoint"][];
  readonly outcome?: Schemas["Outcome"][];
  readonly stream?: boolean;
  readonly key?: string[];
  readonly user?: string[];
}

function filterParams(filters: Filters): FilterParams {
  const { model, pool, replica, endpoint, outcome, stream, key, user } = filters;
  return {
    ...(model === undefined ? {} : { model: [model] }),
    ...(pool === undefined ? {} : { pool: [pool] }),
    ...(replica === undefined ? {} : { replica: [replica] }),
    ...(endpoint === undefined
      ? {}
      : { endpoint: endpointValues.filter((word) => word === endpoint) }),
    ...(outcome === undefined ? {} : { outcome: outcomesNamed([outcome]) }),
    ...(stream === undefined ? {} : { stream: stream === "true" }),
    ...(key === undefined ? {} : { key: [key] }),
    ...(user === undefined ? {} : { user: [user] }),
  };
}

function pace(scope: Scope, ms: number | false): number | false {
  return scope.paused ? false : ms;
}
