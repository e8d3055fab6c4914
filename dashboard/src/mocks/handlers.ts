/** The mock backend: answers every path of the API that the page asks, in the shape of its schema. */
import { http, HttpResponse } from "msw";

import { dimensionValues, metricValues } from "../api/schema.ts";
import { failed, figuresOf, grouped, metricOf, valueOf } from "./figures.ts";
import {
  type MockRequest,
  REPLICAS,
  type Scenario,
  type Schemas,
  requestById,
  requestsOf,
} from "./scenario.ts";

/** The version that the mock says it has. */
const VERSION = "0.1.0";

const FILTERS = [
  "model",
  "pool",
  "replica",
  "endpoint",
  "outcome",
  "stream",
  "key",
  "user",
] as const;

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The handlers for one world. Paths without a host match every origin. */
export function handlersFor(scenario: Scenario) {
  if (scenario === "failing") {
    return [
      http.get("*/api/v1/*", () =>
        HttpResponse.json(
          envelope("internal", "something failed on the server; its log says what"),
          { status: 500 },
        ),
      ),
    ];
  }
  return [
    http.get("*/api/v1/summary", ({ request }) => {
      const asked = read(scenario, request);
      return HttpResponse.json<Schemas["Summary"]>({
        ...asked.ends,
        ...figuresOf(asked.requests, asked.lengthMs),
      });
    }),
    http.get("*/api/v1/timeseries", ({ request }) =>
      HttpResponse.json(timeseries(scenario, request)),
    ),
    http.get("*/api/v1/breakdown", ({ request }) => {
      const asked = read(scenario, request);
      const by = dimensionValues.find((it) => it === asked.params.get("by")) ?? "model";
      return HttpResponse.json<Schemas["Breakdown"]>({
        by,
        ...asked.ends,
        rows: grouped(by, asked.requests).map(([key, requests]) => ({
          key,
          ...figuresOf(requests, asked.lengthMs),
        })),
      });
    }),
    http.get("*/api/v1/requests", ({ request }) => {
      const asked = read(scenario, request);
      const limit = Number(asked.params.get("limit") ?? 50);
      const start = Number(asked.params.get("cursor") ?? 0);
      const newest = asked.requests.reverse();
      const end = start + limit;
      return HttpResponse.json<Schemas["RequestsPage"]>({
        requests: newest.slice(start, end),
        next: end < newest.length ? String(end) : null,
      });
    }),
    http.get("*/api/v1/requests/:id", ({ params }) => {
      const found = requestById(scenario, String(params.id));
      return found === null
        ? HttpResponse.json(envelope("not_found", "no request has this id"), { status: 404 })
        : HttpResponse.json<Schemas["RequestRecord"]>(found);
    }),
    http.get("*/api/v1/replicas", ({ request }) => HttpResponse.json(replicas(scenario, request))),
    http.get("*/api/v1/facets", ({ request }) => HttpResponse.json(facets(scenario, request))),
    http.get("*/api/v1/about", () =>
      HttpResponse.json<Schemas["About"]>({
        version: VERSION,
        now: new Date().toISOString(),
        proxy_url: "http://127.0.0.1:8001",
        ready: true,
      }),
    ),
    http.get("*/api/v1/live", () => live(scenario)),
  ];
}

interface Asked {
  readonly params: URLSearchParams;
  readonly ends: { readonly from: string; readonly to: string };
  readonly fromMs: number;
  readonly toMs: number;
  readonly lengthMs: number;
  readonly requests: MockRequest[];
}

function read(scenario: Scenario, request: Request): Asked {
  const params = new URL(request.url).searchParams;
  const now = Date.now();
  const fromMs = momentOf(params.get("from") ?? "now-1h", now);
  const toMs = momentOf(params.get("to") ?? "now", now);
  const requests = requestsOf(scenario, fromMs, Math.min(toMs, now)).filter((it) =>
    FILTERS.every((name) => {
      const wanted = params.getAll(name);
      return wanted.length === 0 || wanted.includes(valueOf(name, it) ?? "");
    }),
  );
  return {
    params,
    ends: { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() },
    fromMs,
    toMs,
    lengthMs: toMs - fromMs,
    requests,
  };
}

function momentOf(text: string, now: number): number {
  const relative = /^now(?:-([\d.]+)([smhd]))?$/.exec(text);
  return relative === null
    ? Date.parse(text)
    : now - Number(relative[1] ?? 0) * (UNITS_MS[relative[2] ?? "s"] ?? 1_000);
}

function timeseries(scenario: Scenario, request: Request): Schemas["Timeseries"] {
  const asked = read(scenario, request);
  const metric = metricValues.find((it) => it === asked.params.get("metric")) ?? "requests";
  const by = dimensionValues.find((it) => it === asked.params.get("by"));
  const stepMs = Number.parseFloat(asked.params.get("step") ?? "60") * 1_000;
  const groups =
    by === undefined ? ([[null, asked.requests]] as const) : grouped(by, asked.requests);
  return {
    metric,
    unit: /_(p\d\d|mean)$/.test(metric) ? "ms" : metric === "error_rate" ? "ratio" : "count",
    ...asked.ends,
    step_ms: stepMs,
    series: groups.map(([value, requests]) => ({
      labels: by === undefined ? {} : { [by]: value },
      points: pointsOf(metric, requests, asked, stepMs),
    })),
  };
}

function pointsOf(
  metric: Schemas["Metric"],
  requests: readonly MockRequest[],
  { fromMs, toMs }: Asked,
  stepMs: number,
): [number, number | null][] {
  const steps = new Map<number, MockRequest[]>();
  for (let step = Math.floor(fromMs / stepMs); step * stepMs < toMs; step += 1) {
    steps.set(step, []);
  }
  for (const request of requests) {
    steps.get(Math.floor(Date.parse(request.started_at) / stepMs))?.push(request);
  }
  return [...steps].map(([step, inside]) => [step * stepMs, metricOf(metric, inside, stepMs)]);
}

function replicas(scenario: Scenario, request: Request): Schemas["Replicas"] {
  const asked = read(scenario, request);
  const now = Date.now();
  return {
    ...asked.ends,
    stale_after_ms: 15_000,
    proxies: [
      {
        instance: "edge-1",
        version: VERSION,
        started_at: new Date(now - 90_000_000).toISOString(),
        at: new Date(now - 400).toISOString(),
        age_ms: 400,
        stale: false,
        in_flight: inFlight(scenario),
        waiting: 0,
        ledger: {
          finished: 4_905,
          written: 4_904,
          queued: 1,
          dropped: 0,
          errors: 0,
          degraded: false,
          lag_ms: 40,
          backlog: 0,
          last_write_at: new Date(now - 500).toISOString(),
          file_bytes: 3_400_000,
          wal_bytes: 410_000,
          last_backup_at: null,
          backup_failed: false,
        },
      },
    ],
    replicas: REPLICAS.map(({ replica, model, state }, index) => ({
      replica,
      pool: model.startsWith("Qwen") ? "small" : "chat",
      state: scenario === "busy" ? state : "up",
      in_flight: Math.max(0, Math.round(inFlight(scenario) / 4) - index),
      models: [model],
      views: [
        {
          instance: "edge-1",
          stale: false,
          state,
          changed_at: new Date(now - 4_000_000 * (index + 1)).toISOString(),
          in_flight: 1,
          requests_total: 12_000,
          errors_total: index,
        },
      ],
      figures: figuresOf(
        asked.requests.filter((it) => it.replica === replica),
        asked.lengthMs,
      ),
    })),
  };
}

function facets(scenario: Scenario, request: Request): Schemas["Facets"] {
  const asked = read(scenario, request);
  const values = (by: Schemas["Dimension"]) =>
    grouped(by, asked.requests)
      .flatMap(([value]) => (value === null ? [] : [value]))
      .sort();
  return {
    ...asked.ends,
    model: values("model"),
    pool: values("pool"),
    replica: values("replica"),
    endpoint: [...new Set(asked.requests.map((it) => it.endpoint))].sort(),
    outcome: [...new Set(asked.requests.map((it) => it.outcome))].sort(),
    key: values("key"),
    user: values("user"),
  };
}

/** A few events at once: the browser comes back for more when the answer ends. */
function live(scenario: Scenario) {
  const now = Date.now();
  const event: Schemas["Live"] = {
    at: new Date(now).toISOString(),
    proxies_live: 1,
    proxies_stale: 0,
    in_flight: inFlight(scenario),
    waiting: 0,
    rates: {
      requests_per_second: requestsOf(scenario, now - 10_000, now).length / 10,
      failures_per_second: requestsOf(scenario, now - 10_000, now).filter(failed).length / 10,
      tokens_per_second: null,
      prompt_tokens_per_second: null,
      token_events_per_second: null,
    },
    replicas: REPLICAS.map(({ replica, state }) => ({
      replica,
      pool: "chat",
      state,
      in_flight: 1,
    })),
  };
  return new HttpResponse(`retry: 1000\nevent: live\ndata: ${JSON.stringify(event)}\n\n`, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

function inFlight(scenario: Scenario): number {
  return scenario === "empty" ? 0 : Math.round(14 + 6 * Math.sin(Date.now() / 7_000));
}

function envelope(code: string, message: string): Schemas["ErrorEnvelope"] {
  return { error: { code, message } };
}
