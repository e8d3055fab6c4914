/** Counts the API's answers from mock requests: figures, series, breakdowns. Typed by the API's schema. */
import type { MockRequest, Schemas } from "./scenario.ts";

type Figures = Schemas["Figures"];
type Distribution = Schemas["Distribution"];

const INNOCENT: readonly Schemas["Outcome"][] = ["success", "client_error", "client_cancelled"];

/** Whether the serving side failed. */
export function failed(request: MockRequest): boolean {
  return !INNOCENT.includes(request.outcome);
}

/** What some requests add up to over a window of this length. */
export function figuresOf(requests: readonly MockRequest[], lengthMs: number): Figures {
  const failures = requests.filter(failed).length;
  const outcomes: Record<string, number> = {};
  for (const { outcome } of requests) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  const prompt = sum(requests.map((request) => request.prompt_tokens));
  const completion = sum(requests.map((request) => request.completion_tokens));
  const seconds = lengthMs / 1_000;
  return {
    requests: requests.length,
    streams: requests.filter((request) => request.stream === true).length,
    failures,
    error_rate: requests.length === 0 ? null : failures / requests.length,
    outcomes,
    tokens: {
      prompt,
      completion,
      cached: sum(requests.map((request) => request.cached_tokens)),
      reasoning: sum(requests.map((request) => request.reasoning_tokens)),
      reported_requests: requests.filter((request) => request.usage_source === "final").length,
    },
    ttft_ms: distribution(requests.map((request) => request.ttft_ms)),
    itl_ms: distribution(requests.map((request) => request.itl_mean_ms)),
    tpot_ms: distribution(requests.map((request) => request.tpot_ms)),
    e2e_ms: distribution(requests.map((request) => request.e2e_ms)),
    queue_ms: distribution(requests.map((request) => request.queue_ms)),
    overhead_ms: distribution(requests.map((request) => request.overhead_ms)),
    rate_span_ms: lengthMs,
    requests_per_second: requests.length / seconds,
    tokens_per_second: completion === null ? null : completion / seconds,
    prompt_tokens_per_second: prompt === null ? null : prompt / seconds,
    goodput: {
      good: requests.filter((request) => request.good === true).length,
      eligible: requests.filter((request) => request.good !== null).length,
    },
  };
}

/** One metric of the requests of one step; `null` is a gap. */
export function metricOf(
  metric: Schemas["Metric"],
  requests: readonly MockRequest[],
  stepMs: number,
): number | null {
  const figures = figuresOf(requests, stepMs);
  switch (metric) {
    case "requests":
      return figures.requests === 0 ? null : figures.requests;
    case "requests_per_second":
      return figures.requests === 0 ? null : figures.requests_per_second;
    case "error_rate":
      return figures.error_rate;
    case "prompt_tokens":
      return figures.prompt_tokens_per_second;
    case "completion_tokens":
      return figures.tokens_per_second;
    default:
      return percentileNamed(metric, figures);
  }
}

/** The value of a dimension that a request has; `null` when it is unknown. */
export function valueOf(by: Schemas["Dimension"], request: MockRequest): string | null {
  switch (by) {
    case "model":
      return request.model ?? request.model_requested;
    case "pool":
      return request.pool;
    case "replica":
      return request.replica;
    case "endpoint":
      return request.endpoint;
    case "outcome":
      return request.outcome;
    case "stream":
      return request.stream === null ? null : String(request.stream);
    case "key":
      return request.key_id;
    case "user":
      return request.user_id;
    case "finish_reason":
      return request.finish_reason;
    case "error_type":
      return request.error_type;
  }
}

/** The requests by the value that they share, most requests first. */
export function grouped(
  by: Schemas["Dimension"],
  requests: readonly MockRequest[],
): [string | null, MockRequest[]][] {
  const groups = new Map<string | null, MockRequest[]>();
  for (const request of requests) {
    const value = valueOf(by, request);
    const group = groups.get(value);
    if (group === undefined) {
      groups.set(value, [request]);
    } else {
      group.push(request);
    }
  }
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}

/** `ttft_p95` and its like, from the figures. */
function percentileNamed(metric: string, figures: Figures): number | null {
  const [name, part] = metric.split("_");
  const found = [
    ["ttft", figures.ttft_ms],
    ["itl", figures.itl_ms],
    ["tpot", figures.tpot_ms],
    ["e2e", figures.e2e_ms],
    ["queue", figures.queue_ms],
    ["overhead", figures.overhead_ms],
  ] as const;
  const spread = found.find(([known]) => known === name)?.[1];
  switch (part) {
    case "p50":
      return spread?.p50 ?? null;
    case "p90":
      return spread?.p90 ?? null;
    case "p95":
      return spread?.p95 ?? null;
    case "p99":
      return spread?.p99 ?? null;
    case "mean":
      return spread?.mean ?? null;
    default:
      return null;
  }
}

function distribution(values: readonly (number | null)[]): Distribution {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const at = (share: number) =>
    known[Math.min(known.length - 1, Math.floor(share * known.length))] ?? null;
  const total = sum(known);
  return {
    count: known.length,
    mean: total === null ? null : total / known.length,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: known.at(-1) ?? null,
  };
}

function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}
