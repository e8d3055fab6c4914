//! One request as JSON shows it: the record of the ledger, with spans in milliseconds.

use record::{MetricRecord, Name, Tokens};
use serde::Serialize;
use utoipa::ToSchema;

use super::identity::IdentityRecord;
use super::routing::RoutingRecord;
use super::{
    DialectWord, EndpointWord, FinishReasonWord, Moment, OutcomeWord, ResponseFormatWord, ServiceTierWord,
    UsageSourceWord, span_ms,
};

/// One page of requests.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestsPage {
    /// Newest first.
    pub(crate) requests: Vec<RequestRecord>,
    /// `cursor` of the next page; null on the last one.
    #[schema(required)]
    pub(crate) next: Option<String>,
}

/// Everything that is known about one request. Null is unknown, or has no meaning for this request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestRecord {
    /// The request id: the client's `x-request-id`, else one that was made.
    pub(crate) id: String,
    /// When the request head was parsed: t0, from which the times below count.
    pub(crate) started_at: Moment,
    /// W3C trace id, 32 hexadecimal digits; null without a valid `traceparent`.
    #[schema(required)]
    pub(crate) trace_id: Option<String>,
    /// What was asked for.
    pub(crate) endpoint: EndpointWord,
    /// The wire format of the answer.
    pub(crate) dialect: DialectWord,
    /// The pool that took the request; null when it was refused before.
    #[schema(required)]
    pub(crate) pool: Option<String>,
    /// The model that the answer named; null when it named none.
    #[schema(required)]
    pub(crate) model: Option<String>,
    /// The model that the request named; null when the body could not be read.
    #[schema(required)]
    pub(crate) model_requested: Option<String>,
    /// The replica of the last attempt; null when none was chosen.
    #[schema(required)]
    pub(crate) replica: Option<String>,
    #[serde(flatten)]
    pub(crate) routing: RoutingRecord,
    /// Whether a stream was asked for; null when the body could not be read.
    #[schema(required)]
    pub(crate) stream: Option<bool>,
    /// Choices asked for (`n`); null when the request did not say.
    #[schema(required)]
    pub(crate) n_choices: Option<u32>,
    /// Limit on completion tokens; null when the request did not say.
    #[schema(required)]
    pub(crate) max_tokens: Option<u64>,
    /// vLLM's scheduling priority, lower first; null when the request did not say.
    #[schema(required)]
    pub(crate) priority: Option<i64>,
    /// Number of tools that the model may call; null when the request did not say.
    #[schema(required)]
    pub(crate) tools: Option<u32>,
    /// The form of answer asked for; null when the request did not say.
    #[schema(required)]
    pub(crate) response_format: Option<ResponseFormatWord>,
    /// Number of images in the prompt; null when the body could not be read.
    #[schema(required)]
    pub(crate) images: Option<u32>,
    /// Number of audio parts in the prompt; null when the body could not be read.
    #[schema(required)]
    pub(crate) audios: Option<u32>,
    /// The class of service asked for; null when the request did not say.
    #[schema(required)]
    pub(crate) service_tier: Option<ServiceTierWord>,
    /// HTTP status sent to the client; null when the client left before the head.
    #[schema(required)]
    pub(crate) status: Option<u16>,
    /// How it ended.
    pub(crate) outcome: OutcomeWord,
    /// The class of the error, never its message; null without one.
    #[schema(required)]
    pub(crate) error_type: Option<String>,
    /// Why choice 0 ended; null when no reason was seen.
    #[schema(required)]
    pub(crate) finish_reason: Option<FinishReasonWord>,
    /// Whether the stream's terminal marker was seen; null when the answer was not a stream.
    #[schema(required)]
    pub(crate) terminal: Option<bool>,
    /// When the client closed, after t0; null when it stayed.
    #[schema(required)]
    pub(crate) client_gone_at_ms: Option<f64>,
    /// From t0 to the last byte of the request body.
    #[schema(required)]
    pub(crate) upload_ms: Option<f64>,
    /// From the complete body to the choice of a replica.
    #[schema(required)]
    pub(crate) queue_ms: Option<f64>,
    /// From that choice to a connection; 0 when one was reused, null without an attempt.
    #[schema(required)]
    pub(crate) connect_ms: Option<f64>,
    /// From t0 to the first byte of the answer's body.
    #[schema(required)]
    pub(crate) ttfb_ms: Option<f64>,
    /// Time to first token: from t0 to the first token event. Streams only.
    #[schema(required)]
    pub(crate) ttft_ms: Option<f64>,
    /// From the last request byte sent to the replica to the first token event.
    #[schema(required)]
    pub(crate) upstream_ttft_ms: Option<f64>,
    /// From t0 to the first token event that is not reasoning.
    #[schema(required)]
    pub(crate) ttfo_ms: Option<f64>,
    /// From the first to the second arrival that carries tokens.
    #[schema(required)]
    pub(crate) ttst_ms: Option<f64>,
    /// From the first to the last token event.
    #[schema(required)]
    pub(crate) generation_ms: Option<f64>,
    /// Time per output token after the first arrival.
    #[schema(required)]
    pub(crate) tpot_ms: Option<f64>,
    /// Mean gap between arrivals that carry tokens; null with fewer than two arrivals.
    #[schema(required)]
    pub(crate) itl_mean_ms: Option<f64>,
    /// Largest such gap; null with fewer than two arrivals.
    #[schema(required)]
    pub(crate) itl_max_ms: Option<f64>,
    /// Number of such gaps; null when the answer was not a stream.
    #[schema(required)]
    pub(crate) itl_count: Option<u64>,
    /// Gaps longer than a second; null with fewer than two arrivals.
    #[schema(required)]
    pub(crate) stalls: Option<u32>,
    /// From t0 to the terminal event of a stream, else to the last byte of the body.
    pub(crate) e2e_ms: f64,
    /// Time blocked on a client that read slowly; null when the answer was not a stream.
    #[schema(required)]
    pub(crate) client_stall_ms: Option<f64>,
    /// Time spent in streamgauge's own code.
    pub(crate) overhead_ms: f64,
    /// Prompt tokens, cached ones included.
    #[schema(required)]
    pub(crate) prompt_tokens: Option<u64>,
    /// Completion tokens over all choices, reasoning included.
    #[schema(required)]
    pub(crate) completion_tokens: Option<u64>,
    /// Prompt tokens that were read from a cache.
    #[schema(required)]
    pub(crate) cached_tokens: Option<u64>,
    /// Prompt tokens that were written to a cache.
    #[schema(required)]
    pub(crate) cache_write_tokens: Option<u64>,
    /// Completion tokens that were reasoning.
    #[schema(required)]
    pub(crate) reasoning_tokens: Option<u64>,
    /// Seconds of audio, for transcriptions that bill by time.
    #[schema(required)]
    pub(crate) audio_seconds: Option<f64>,
    /// Where the token counts come from.
    pub(crate) usage_source: UsageSourceWord,
    /// Estimated completion tokens; null when the exact count is known.
    #[schema(required)]
    pub(crate) completion_tokens_est: Option<u64>,
    /// Events of the stream that carried tokens; null when the answer was not a stream.
    #[schema(required)]
    pub(crate) token_events: Option<u64>,
    /// Reads from the replica that carried tokens; null when the answer was not a stream.
    #[schema(required)]
    pub(crate) arrivals: Option<u64>,
    /// Time in the engine's queue, as the engine says; null when it says nothing.
    #[schema(required)]
    pub(crate) engine_queue_ms: Option<f64>,
    /// The engine's own time to first token, without its queue; null when it says nothing.
    #[schema(required)]
    pub(crate) engine_ttft_ms: Option<f64>,
    /// The engine's own output tokens per second; null when it says nothing.
    #[schema(required)]
    pub(crate) engine_tps: Option<f64>,
    /// Share of speculated tokens that were accepted, 0 to 1; null when it says nothing.
    #[schema(required)]
    pub(crate) spec_accept_rate: Option<f64>,
    /// Bytes of the request body.
    pub(crate) req_bytes: u64,
    /// Bytes of the answer's body as they went to the client.
    pub(crate) resp_bytes: u64,
    #[serde(flatten)]
    pub(crate) identity: IdentityRecord,
    /// Whether the service goals were met; null when none is set or the request is not judged.
    #[schema(required)]
    pub(crate) good: Option<bool>,
    /// What the parser noticed: `no_done`, `parse_error`, `line_too_long`, `usage_injected`, `slow_client`,
    /// `compressed`, `body_unread`.
    pub(crate) flags: Vec<&'static str>,
}

// === impl RequestRecord ===

impl From<&MetricRecord> for RequestRecord {
    fn from(record: &MetricRecord) -> Self {
        let (shape, times, usage) = (&record.shape, &record.times, &record.usage);
        Self {
            id: record.id.to_string(),
            started_at: Moment(record.started_at),
            trace_id: record.trace_id.map(hex),
            endpoint: EndpointWord(record.endpoint),
            dialect: DialectWord(record.dialect),
            pool: text(record.pool.as_ref()),
            model: text(record.model.as_ref()),
            model_requested: text(record.model_requested.as_ref()),
            replica: text(record.replica.as_ref()),
            routing: RoutingRecord::from(record),
            stream: shape.stream,
            n_choices: shape.choices,
            max_tokens: tokens(shape.max_tokens),
            priority: shape.priority,
            tools: shape.tools,
            response_format: shape.response_format.map(ResponseFormatWord),
            images: shape.images,
            audios: shape.audios,
            service_tier: shape.service_tier.map(ServiceTierWord),
            status: record.status,
            outcome: OutcomeWord(record.outcome),
            error_type: text(record.error_type.as_ref()),
            finish_reason: record.finish_reason.map(FinishReasonWord),
            terminal: record.terminal,
            client_gone_at_ms: times.client_gone.map(span_ms),
            upload_ms: times.upload.map(span_ms),
            queue_ms: times.queue.map(span_ms),
            connect_ms: times.connect.map(span_ms),
            ttfb_ms: times.ttfb.map(span_ms),
            ttft_ms: times.ttft.map(span_ms),
            upstream_ttft_ms: times.upstream_ttft.map(span_ms),
            ttfo_ms: times.ttfo.map(span_ms),
            ttst_ms: times.ttst.map(span_ms),
            generation_ms: times.generation.map(span_ms),
            tpot_ms: times.tpot.map(span_ms),
            itl_mean_ms: times.itl_mean.map(span_ms),
            itl_max_ms: times.itl_max.map(span_ms),
            itl_count: usage.arrivals.map(|_| times.itl_count),
            stalls: (times.itl_count > 0).then_some(times.stalls),
            e2e_ms: span_ms(times.e2e),
            client_stall_ms: times.client_stall.map(span_ms),
            overhead_ms: span_ms(times.overhead),
            prompt_tokens: tokens(usage.prompt),
            completion_tokens: tokens(usage.completion),
            cached_tokens: tokens(usage.cached),
            cache_write_tokens: tokens(usage.cache_write),
            reasoning_tokens: tokens(usage.reasoning),
            audio_seconds: usage.audio_seconds,
            usage_source: UsageSourceWord(usage.source),
            completion_tokens_est: tokens(usage.completion_estimated),
            token_events: usage.token_events,
            arrivals: usage.arrivals,
            engine_queue_ms: record.engine.queue.map(span_ms),
            engine_ttft_ms: record.engine.ttft.map(span_ms),
            engine_tps: record.engine.tokens_per_second,
            spec_accept_rate: record.engine.spec_accept_rate,
            req_bytes: record.request_bytes,
            resp_bytes: record.response_bytes,
            identity: IdentityRecord::from(&record.identity),
            good: record.good,
            flags: record.flags.names().collect(),
        }
    }
}

/// A name as JSON shows it.
pub(super) fn text(name: Option<&Name>) -> Option<String> {
    name.map(ToString::to_string)
}

/// A count of tokens as JSON shows it.
pub(super) fn tokens(count: Option<Tokens>) -> Option<u64> {
    count.map(|count| count.0)
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
