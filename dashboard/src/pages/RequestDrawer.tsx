/** The drawer with one request: its life to scale, its tokens and their source, who asked, what was noticed. */
import { sentenceOf, type Schemas } from "../api/client";
import { useRequest } from "../api/queries";
import { UNKNOWN, bytes, count, duration, isKnown, share, threeDigits } from "../lib/format";
import { ending } from "../lib/outcome";
import { dayAndClock } from "../lib/ticks";
import { parts } from "../lib/timing";
import { Drawer, type Fact, Facts, TimingBar } from "../ui/Drawer";
import { CopyButton, Failed, Loading } from "../ui/Panel";
import { Badge, LeadTo, Name } from "../ui/parts";
import { outputTokens } from "./RequestsPanel";
import { usePage } from "./usePage";

type Record = Schemas["RequestRecord"];

/** The drawer of the request that the address names. */
export function RequestDrawer({ id }: { readonly id: string }) {
  const { openRequest } = usePage();
  const { data, error, refetch } = useRequest(id);
  return (
    <Drawer
      title={`Request ${id}`}
      onClose={() => {
        openRequest(null);
      }}
    >
      {data !== undefined ? (
        <RequestFacts record={data} />
      ) : error === null ? (
        <Loading shape="rows" />
      ) : (
        <Failed
          what="The request"
          reason={sentenceOf(error)}
          onRetry={() => {
            void refetch();
          }}
        />
      )}
    </Drawer>
  );
}

function RequestFacts({ record }: { readonly record: Record }) {
  const life = parts(record);
  const { tone, meaning } = ending(record.outcome);
  return (
    <>
      <section>
        <p>
          <Badge tone={tone}>{record.outcome}</Badge> <span className="muted">{meaning}</span>
        </p>
        <p>
          <code>{record.id}</code>
          <CopyButton text={record.id} label="Copy the request id" />
        </p>
      </section>
      <section>
        <h3>From the first byte to the last: {duration(record.e2e_ms)}</h3>
        {life.length === 0 ? (
          <p className="unknown">Too short to be drawn.</p>
        ) : (
          <TimingBar parts={life} text={duration} />
        )}
      </section>
      <Facts title="Request" facts={requestFacts(record)} />
      <Facts title="Times" facts={timeFacts(record)} />
      <Facts title="Tokens" facts={tokenFacts(record)} />
      {engineFacts(record).length === 0 ? null : (
        <Facts title="What the engine says" facts={engineFacts(record)} />
      )}
      <Facts title="Who asked" facts={identityFacts(record)} />
    </>
  );
}

function requestFacts(record: Record): readonly Fact[] {
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
    ...given("Token limit", isKnown(record.max_tokens) ? count(record.max_tokens) : null),
    { name: "Bytes", value: `${bytes(record.req_bytes)} in, ${bytes(record.resp_bytes)} out` },
    ...given("Noticed", flags.length === 0 ? null : flags.join(", ")),
    ...given("Trace", record.trace_id),
  ];
}

function ModelValue({ record }: { readonly record: Record }) {
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

function timeFacts(record: Record): readonly Fact[] {
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
        ]
      : [{ name: "First byte", value: duration(record.ttfb_ms) }]),
    ...given("Client left after", known(record.client_gone_at_ms)),
    {
      name: "Own overhead",
      value: duration(record.overhead_ms),
      meaning: "Time spent in streamgauge's own code.",
    },
  ];
}

function tokenFacts(record: Record): readonly Fact[] {
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

function engineFacts(record: Record): readonly Fact[] {
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

function identityFacts(record: Record): readonly Fact[] {
  return [
    {
      name: "Key",
      value: record.key_id,
      meaning: "A keyed hash, or the configured alias; unknown without one.",
    },
    ...given("User", record.user_id),
    ...given("Session", record.session_id),
    { name: "Library", value: record.sdk },
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
