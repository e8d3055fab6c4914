/** The facts of one request's record, in the groups of its drawer. What is unknown says so or is left out. */
import type { Schemas } from "../api/client";
import { UNKNOWN, bytes, count, duration, isKnown, share, threeDigits } from "../lib/format";
import { dayAndClock } from "../lib/ticks";
import type { Fact } from "../ui/Drawer";
import { LeadTo, Name } from "../ui/parts";
import { outputTokens } from "./RequestsPanel";
import { usePage } from "./usePage";

type RequestRecord = Schemas["RequestRecord"];

/** What was asked for, and how it was answered. */
export function requestFacts(record: RequestRecord): readonly Fact[] {
  const { attempts, flags } = record;
  return [
    { name: "Started", value: dayAndClock(Date.parse(record.started_at)) },
    {
      name: "Status",
      value: record.status,
      meaning: "Unknown when the client left before the head.",
    },
    ...given("Error", record.error_type),
    { name: "Finish reason", value: record.finish_reason },
    { name: "Model", value: <ModelValue record={record} /> },
    {
      name: "Endpoint",
      value: `${record.endpoint}${record.stream === true ? ", stream" : ""}`,
    },
    {
      name: "Replica",
      value: record.replica === null ? null : <ReplicaValue replica={record.replica} />,
      meaning: "Unknown when none was chosen.",
    },
    { name: "Attempts", value: count(attempts) },
    ...given("Choices", record.n_choices),
    ...given("Tools", record.tools),
    ...given("Answer's form", record.response_format),
    ...given("Images", positive(record.images)),
    ...given("Audio parts", positive(record.audios)),
    ...given("Priority", record.priority),
    ...given("Service tier", record.service_tier),
    ...given("Token limit", isKnown(record.max_tokens) ? count(record.max_tokens) : null),
    { name: "Bytes", value: `${bytes(record.req_bytes)} in, ${bytes(record.resp_bytes)} out` },
    ...given("Noticed", flags.length === 0 ? null : flags.join(", ")),
    ...given("Trace", record.trace_id),
  ];
}

function ModelValue({ record }: { readonly record: RequestRecord }) {
  const { model, model_requested: requested } = record;
  if (model === null) {
    return requested === null ? (
      <span className="unknown">unknown</span>
    ) : (
      `${requested} (asked for)`
    );
  }
  return requested === null || requested === model ? model : `${model} (asked for ${requested})`;
}

function ReplicaValue({ replica }: { readonly replica: string }) {
  const { setFilter } = usePage();
  return (
    <LeadTo
      onClick={() => {
        setFilter("replica", replica);
      }}
    >
      <Name name={replica} />
    </LeadTo>
  );
}

/** When what arrived. */
export function timeFacts(record: RequestRecord): readonly Fact[] {
  const streamed = record.stream === true;
  return [
    ...(streamed
      ? [
          {
            name: "TTFT",
            value: duration(record.ttft_ms),
            meaning: "From the request's head to the first token.",
          },
          {
            name: "TTFT, replica's",
            value: duration(record.upstream_ttft_ms),
            meaning: "From the last request byte sent to the replica to the first token.",
          },
          ...given(
            "First output",
            // Only a reasoning model has a first output that is not its first token.
            record.ttfo_ms === record.ttft_ms ? null : known(record.ttfo_ms),
          ),
          {
            name: "TPOT",
            value: duration(record.tpot_ms),
            meaning: "Time per output token after the first arrival.",
          },
          {
            name: "Gaps, mean and max",
            value: isKnown(record.itl_mean_ms)
              ? `${duration(record.itl_mean_ms)}, ${duration(record.itl_max_ms)}`
              : UNKNOWN,
            meaning: "Between arrivals that carry tokens; unknown with fewer than two.",
          },
          ...given("Stalls over 1 s", record.stalls === 0 ? null : record.stalls),
          ...given("Client held us up", known(record.client_stall_ms)),
          ...(record.flags.includes("slow_client")
            ? [
                {
                  name: "Slow client",
                  value: "yes",
                  meaning:
                    "It held the stream up for more than a tenth of its time, so TPOT is unknown.",
                },
              ]
            : []),
        ]
      : [{ name: "First byte", value: duration(record.ttfb_ms) }]),
    ...(record.good !== null
      ? [
          {
            name: "Service goals",
            value: record.good ? "met" : "missed",
            meaning: "All goals under slo in the configuration together.",
          },
        ]
      : []),
    ...given("Client left after", known(record.client_gone_at_ms)),
    {
      name: "Own overhead",
      value: duration(record.overhead_ms),
      meaning: "Time spent in streamgauge's own code.",
    },
  ];
}

/** How many tokens, and who counted them. */
export function tokenFacts(record: RequestRecord): readonly Fact[] {
  return [
    { name: "Prompt", value: count(record.prompt_tokens) },
    ...given("of these cached", isKnown(record.cached_tokens) ? count(record.cached_tokens) : null),
    { name: "Output", value: outputTokens(record) },
    ...given(
      "of these reasoning",
      isKnown(record.reasoning_tokens) ? count(record.reasoning_tokens) : null,
    ),
    {
      name: "Counted by",
      value: record.usage_source,
      meaning: "Where the counts come from; final, continuous and timings are exact.",
    },
    ...given(
      "Audio",
      isKnown(record.audio_seconds) ? `${threeDigits(record.audio_seconds)} s` : null,
    ),
    ...given(
      "Token events",
      isKnown(record.token_events)
        ? `${count(record.token_events)} in ${count(record.arrivals)} reads`
        : null,
    ),
  ];
}

/** What the engine says about its own work; empty when it says nothing. */
export function engineFacts(record: RequestRecord): readonly Fact[] {
  return [
    ...given("Queue", known(record.engine_queue_ms)),
    ...given("TTFT without queue", known(record.engine_ttft_ms)),
    ...given(
      "Speed",
      isKnown(record.engine_tps) ? `${threeDigits(record.engine_tps)} tok/s` : null,
    ),
    ...given(
      "Speculation accepted",
      isKnown(record.spec_accept_rate) ? share(record.spec_accept_rate) : null,
    ),
  ];
}

/** Why the replica was chosen, and what was tried before. */
export function routingFacts(record: RequestRecord): readonly Fact[] {
  const { policy, prefix_blocks: blocks, matched_blocks: matched } = record;
  const { predicted_cached_tokens: predicted, cached_tokens: cached, attempt_log: log } = record;
  return [
    ...given("Policy", policy),
    ...(isKnown(blocks) && isKnown(matched)
      ? [
          {
            name: "Prefix found",
            value: `${count(matched)} of ${count(blocks)} blocks`,
            meaning: "Leading blocks of the prompt that the replica was believed to hold.",
          },
        ]
      : []),
    ...(isKnown(predicted)
      ? [
          {
            name: "Cached, predicted and real",
            value: `${count(predicted)}, ${count(cached)}`,
            meaning:
              "Prompt tokens from the replica's cache; the real number is the replica's word.",
          },
        ]
      : []),
    ...log.map((attempt, nth) => ({
      name: `Attempt ${nth + 1}`,
      value: `${attempt.replica}: ${attempt.end}, ${duration(attempt.span_ms)}`,
    })),
  ];
}

/** Who asked: hashes and names, never a key. */
export function identityFacts(record: RequestRecord): readonly Fact[] {
  return [
    {
      name: "Key",
      value: record.key_id,
      meaning: "A keyed hash, or the configured alias; unknown without one.",
    },
    ...given("User", record.user_id),
    ...given("Session", record.session_id),
    { name: "Library", value: record.sdk },
    ...given("Network", record.client_net),
    ...Object.entries(record.tags).map(([name, value]) => ({ name: `Tag ${name}`, value })),
    ...given("Its retry", record.sdk_retry === 0 ? null : record.sdk_retry),
  ];
}

/** A fact that is left out when there is none: its absence says nothing. */
function given(name: string, value: string | number | null): readonly Fact[] {
  return value === null ? [] : [{ name, value }];
}

function known(ms: number | null): string | null {
  return isKnown(ms) && ms > 0 ? duration(ms) : null;
}

function positive(number: number | null): number | null {
  return number === 0 ? null : number;
}
