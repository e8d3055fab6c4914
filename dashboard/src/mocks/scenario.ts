/**
 * The worlds that the mock backend can show. Requests are made from a hash of their time slot, so that
 * a request keeps all its properties however often it is asked for, and every answer is counted from
 * the same requests: totals never differ between panels.
 */
import type { components } from "../api/schema.ts";

/** The words of the API. */
export type Schemas = components["schemas"];

/** One request as the API shows it. */
export type MockRequest = Schemas["RequestRecord"];

/** Which world is shown. */
export const SCENARIOS = ["busy", "calm", "empty", "failing"] as const;

/** One of them. */
export type Scenario = (typeof SCENARIOS)[number];

/** One replica of the mock fleet. */
export interface MockReplica {
  readonly replica: string;
  readonly model: string;
  readonly state: Schemas["ReplicaState"];
}

const CHAT = "meta-llama/Llama-3.3-70B-Instruct";
const SMALL = "Qwen/Qwen3-8B";

/** The fleet. The third one has a bad spell in every hour of the busy world. */
export const REPLICAS: readonly MockReplica[] = [
  { replica: "gpu-01:8000", model: CHAT, state: "up" },
  { replica: "gpu-02:8000", model: CHAT, state: "up" },
  { replica: "gpu-03:8000", model: CHAT, state: "up" },
  { replica: "gpu-04:8000", model: SMALL, state: "up" },
  { replica: "gpu-05:8000", model: SMALL, state: "draining" },
];

/** Time between two slots: one request for each, or none. */
const SLOT_MS = 1_000;

/** Beyond this window slots are taken more sparsely, so that a week is still counted in a moment. */
const FINE_WINDOW_MS = 6 * 3_600_000;

const SPARSE = 20;

/** The scenario with this name; an unknown name is an error, so that no test runs in the wrong world. */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario === name);
  if (found === undefined) {
    throw new Error(`MOCK_SCENARIO is "${name}"; it must be one of ${SCENARIOS.join(", ")}`);
  }
  return found;
}

/** The requests that started in a window, oldest first. */
export function requestsOf(scenario: Scenario, fromMs: number, toMs: number): MockRequest[] {
  if (scenario === "empty") {
    return [];
  }
  const every = toMs - fromMs > FINE_WINDOW_MS ? SPARSE : 1;
  const first = Math.ceil(fromMs / SLOT_MS / every) * every;
  const found: MockRequest[] = [];
  for (let slot = first; slot * SLOT_MS < toMs; slot += every) {
    const request = remembered(scenario, slot);
    if (request !== null) {
      found.push(request);
    }
  }
  return found;
}

/** Requests never change: each is made once. When there are too many, all are made anew. */
const made = new Map<string, MockRequest | null>();
const MADE_MAX = 100_000;

function remembered(scenario: Scenario, slot: number): MockRequest | null {
  const key = `${scenario} ${slot}`;
  let request = made.get(key);
  if (request === undefined) {
    request = requestOf(scenario, slot);
    if (made.size >= MADE_MAX) {
      made.clear();
    }
    made.set(key, request);
  }
  return request;
}

/** The request with this id. */
export function requestById(scenario: Scenario, id: string): MockRequest | null {
  const slot = Number.parseInt(id.split("-").at(-1) ?? "", 16);
  return Number.isNaN(slot) ? null : requestOf(scenario, slot);
}

function requestOf(scenario: Scenario, slot: number): MockRequest | null {
  const startedMs = slot * SLOT_MS;
  const minute = new Date(startedMs).getUTCMinutes();
  const silent = scenario === "busy" && minute >= 21 && minute < 23;
  if (silent || chance(slot, 1) > 0.55 + 0.4 * Math.sin(startedMs / 1_100_000) ** 2) {
    return null;
  }
  const replica = REPLICAS[Math.floor(chance(slot, 2) ** 1.3 * REPLICAS.length)] ?? REPLICAS[0];
  if (replica === undefined) {
    return null;
  }
  const ill = scenario === "busy" && replica.replica.startsWith("gpu-03") && minute % 20 < 6;
  const made = madeFrom(slot, startedMs, replica, ill, outcomeOf(scenario, slot, ill));
  // Goals are set in the calm world only: in the others their tile must not be there.
  return scenario === "calm" ? { ...made, good: (made.ttft_ms ?? 0) < 400 } : made;
}

function outcomeOf(scenario: Scenario, slot: number, ill: boolean): Schemas["Outcome"] {
  const dice = chance(slot, 3);
  if (scenario === "calm") {
    return "success";
  }
  if (ill && dice < 0.3) {
    return dice < 0.2 ? "upstream_truncated" : "timeout_idle";
  }
  if (dice > 0.9985) {
    return "upstream_error";
  }
  if (dice > 0.992) {
    return "client_error";
  }
  return dice > 0.975 ? "client_cancelled" : "success";
}

function madeFrom(
  slot: number,
  startedMs: number,
  { replica, model }: MockReplica,
  ill: boolean,
  outcome: Schemas["Outcome"],
): MockRequest {
  const stream = chance(slot, 4) > 0.15;
  const refused = outcome === "client_error" || outcome === "upstream_error";
  const answered = !refused;
  const prompt = Math.round(40 + 6_000 * chance(slot, 5) ** 4);
  const completion = Math.round(20 + 700 * chance(slot, 6) ** 2);
  const tokens = outcome === "success" ? completion : Math.max(2, Math.round(completion / 3));
  const ttft = (60 + prompt * 0.03 + 90 * chance(slot, 7) ** 5) * (ill ? 4.5 : 1);
  const itl = (model === SMALL ? 9 : 19) * (0.85 + 0.4 * chance(slot, 8)) * (ill ? 1.7 : 1);
  const generation = itl * (tokens - 1);
  const upload = 0.2 + prompt / 4_000;
  const queue = chance(slot, 9) > 0.9 ? 40 * chance(slot, 10) : 0.02;
  const reused = chance(slot, 11) > 0.06;
  const retried = chance(slot, 15) > 0.99;
  const e2e = refused ? 12 + 30 * chance(slot, 7) : ttft + generation + 0.6;
  const complete = outcome === "success";
  return {
    id: `0199b2c4-7d1e-7000-8000-${slot.toString(16).padStart(12, "0")}`,
    started_at: new Date(startedMs).toISOString(),
    trace_id: chance(slot, 12) > 0.8 ? "4bf92f3577b34da6a3ce929d0e0e4736" : null,
    endpoint: stream || chance(slot, 13) > 0.3 ? "chat" : "embeddings",
    dialect: "openai_chat",
    pool: model === SMALL ? "small" : "chat",
    model: answered ? model : null,
    model_requested: chance(slot, 14) > 0.97 ? "gpt-4o" : model,
    replica,
    attempts: retried ? 2 : 1,
    attempt_log: retried
      ? [
          { replica: "10.0.0.9:8000", end: "connect", span_ms: 1.9 },
          { replica, end: answered ? "answered" : "reset", span_ms: round(e2e - 2) },
        ]
      : [],
    policy: "prefix",
    prefix_blocks: Math.ceil((prompt * 4) / 1_024),
    matched_blocks: chance(slot, 19) > 0.4 ? Math.floor((prompt * 2.4) / 1_024) : 0,
    predicted_cached_tokens: chance(slot, 19) > 0.4 ? Math.round(prompt * 0.58) : 0,
    stream,
    n_choices: null,
    max_tokens: chance(slot, 16) > 0.5 ? 1_024 : null,
    priority: null,
    tools: chance(slot, 22) > 0.7 ? 3 : null,
    response_format: chance(slot, 23) > 0.9 ? "json_schema" : null,
    images: 0,
    audios: 0,
    service_tier: null,
    status: outcome === "client_error" ? 400 : outcome === "upstream_error" ? 502 : 200,
    outcome,
    error_type: refused ? "BadRequestError" : null,
    finish_reason: complete ? (completion > 650 ? "length" : "stop") : null,
    terminal: stream && answered ? complete : null,
    client_gone_at_ms: outcome === "client_cancelled" ? round(e2e) : null,
    upload_ms: round(upload),
    queue_ms: round(queue),
    connect_ms: reused ? 0 : 1.2,
    ttfb_ms: answered ? round(stream ? ttft - 0.3 : e2e - 0.4) : null,
    ttft_ms: stream && answered ? round(ttft) : null,
    upstream_ttft_ms: stream && answered ? round(ttft - upload - queue) : null,
    ttfo_ms: stream && answered ? round(ttft) : null,
    ttst_ms: stream && answered ? round(itl) : null,
    generation_ms: stream && answered ? round(generation) : null,
    tpot_ms: stream && complete ? round(itl) : null,
    itl_mean_ms: stream && answered ? round(itl) : null,
    itl_max_ms: stream && answered ? round(itl * (2 + 3 * chance(slot, 17))) : null,
    itl_count: stream && answered ? tokens - 1 : null,
    stalls: stream && answered ? (ill ? 1 : 0) : null,
    e2e_ms: round(e2e),
    client_stall_ms: stream && answered ? 0 : null,
    overhead_ms: round(0.05 + 0.05 * chance(slot, 18)),
    prompt_tokens: complete ? prompt : null,
    completion_tokens: complete ? completion : null,
    cached_tokens: complete && chance(slot, 19) > 0.4 ? Math.round(prompt * 0.6) : null,
    cache_write_tokens: null,
    reasoning_tokens: null,
    audio_seconds: null,
    usage_source: complete ? "final" : refused ? "none" : "estimated",
    completion_tokens_est: complete || refused ? null : tokens,
    token_events: stream && answered ? tokens : null,
    arrivals: stream && answered ? tokens : null,
    engine_queue_ms: null,
    engine_ttft_ms: null,
    engine_tps: null,
    spec_accept_rate: null,
    req_bytes: 200 + prompt * 4,
    resp_bytes: answered ? tokens * (stream ? 215 : 4) : 180,
    key_id:
      ["team-search", "team-chat", "9f3c2a71d04be688"][Math.floor(chance(slot, 20) * 3)] ?? null,
    user_id: null,
    session_id: null,
    sdk: chance(slot, 21) > 0.2 ? "openai-python/3.54" : "openai-node/6.1",
    sdk_retry: 0,
    client_net: null,
    hash_key_id: null,
    tags: { team: chance(slot, 20) > 0.5 ? "search" : "chat" },
    good: null,
    flags: stream && complete ? ["usage_injected"] : [],
  };
}

/** A number from 0 to 1 that a slot always has in this respect. */
function chance(slot: number, respect: number): number {
  let hash = Math.imul(slot ^ Math.imul(respect, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x27d4eb2f);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
