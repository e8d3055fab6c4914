//! The figures of a set of requests, the same for a window, a group and a replica, and figures over time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use record::units::{count_f64, duration_ms_i64};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ArrayItems, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{ByWord, MetricWord, Moment, UnitWord, span_ms};

/// The figures of a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    /// Start of the window that is covered, included: as asked for, or earlier where only coarser figures are
    /// kept.
    pub(crate) from: Moment,
    /// End of the window, not included.
    pub(crate) to: Moment,
    /// The figures.
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// The figures of a window, split by one dimension.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Breakdown {
    /// What the rows are split by.
    pub(crate) by: ByWord,
    /// Start of the window that is covered, included: as asked for, or earlier where only coarser figures are
    /// kept.
    pub(crate) from: Moment,
    /// End of the window, not included.
    pub(crate) to: Moment,
    /// One row per value, most requests first.
    pub(crate) rows: Vec<BreakdownRow>,
}

/// The figures of the requests that share one value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakdownRow {
    /// The shared value; null for the requests where it is unknown.
    #[schema(required)]
    pub(crate) key: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// What a set of requests adds up to. A request belongs to the window in which it started.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Requests, however they ended.
    pub(crate) requests: u64,
    /// Requests that asked for a stream.
    pub(crate) streams: u64,
    /// Requests that the serving side failed: every outcome but `success`, `client_error` and
    /// `client_cancelled`.
    pub(crate) failures: u64,
    /// `failures` / `requests`, from 0 to 1; null without requests.
    #[schema(required)]
    pub(crate) error_rate: Option<f64>,
    /// Number of requests by outcome; an outcome that did not occur is left out.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    /// Token counts.
    pub(crate) tokens: TokenSums,
    /// Time to first token: from the parsed request head to the first token. Streams only.
    pub(crate) ttft_ms: Distribution,
    /// Inter-token latency: the gaps between arrivals that carry tokens, each gap on its own. `count` is the
    /// number of gaps, so that long streams weigh more than short ones.
    pub(crate) itl_ms: Distribution,
    /// Time per output token after the first arrival, per request.
    pub(crate) tpot_ms: Distribution,
    /// The whole request: to the terminal event of a stream, else to the last byte.
    pub(crate) e2e_ms: Distribution,
    /// From the complete request body to the choice of a replica.
    pub(crate) queue_ms: Distribution,
    /// Time spent in streamgauge's own code.
    pub(crate) overhead_ms: Distribution,
    /// The time that the rates below are taken over: from the start of the window, or of the first request in
    /// it when that is later, to the end of the window or to now. The rows of a breakdown share one span, so
    /// that their rates add up. Null when it is shorter than a second.
    #[schema(required)]
    pub(crate) rate_span_ms: Option<u64>,
    /// `requests` per second of `rate_span_ms`; null when that is null.
    #[schema(required)]
    pub(crate) requests_per_second: Option<f64>,
    /// `tokens.completion` per second of `rate_span_ms`; null when either is null.
    #[schema(required)]
    pub(crate) tokens_per_second: Option<f64>,
    /// `tokens.prompt` per second of `rate_span_ms`; null when either is null.
    #[schema(required)]
    pub(crate) prompt_tokens_per_second: Option<f64>,
    /// Requests that met the service goals.
    pub(crate) goodput: Goodput,
}

/// Exact token counts, from the requests that reported them. An estimate is never part of them.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct TokenSums {
    /// Prompt tokens, cached ones included; null when no request reported them.
    #[schema(required)]
    pub(crate) prompt: Option<u64>,
    /// Completion tokens, reasoning included; null when no request reported them.
    #[schema(required)]
    pub(crate) completion: Option<u64>,
    /// Prompt tokens that were read from a cache; null when no request reported them.
    #[schema(required)]
    pub(crate) cached: Option<u64>,
    /// Completion tokens that were reasoning; null when no request reported them.
    #[schema(required)]
    pub(crate) reasoning: Option<u64>,
    /// Requests with exact token counts: how far these sums can be trusted.
    pub(crate) reported_requests: u64,
}

/// How a figure is spread, in milliseconds. Percentiles are at most 1 % off and never averaged from other
/// percentiles; `count`, `mean` and `max` are exact.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Distribution {
    /// Number of values: requests for which the figure is known, or gaps.
    pub(crate) count: u64,
    /// Arithmetic mean; null when `count` is 0, as are all that follow.
    #[schema(required)]
    pub(crate) mean: Option<f64>,
    /// Median.
    #[schema(required)]
    pub(crate) p50: Option<f64>,
    /// 90th percentile.
    #[schema(required)]
    pub(crate) p90: Option<f64>,
    /// 95th percentile.
    #[schema(required)]
    pub(crate) p95: Option<f64>,
    /// 99th percentile.
    #[schema(required)]
    pub(crate) p99: Option<f64>,
    /// Largest.
    #[schema(required)]
    pub(crate) max: Option<f64>,
}

/// Requests that met the service goals. Failures count against them.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Goodput {
    /// Eligible requests that met every goal.
    pub(crate) good: u64,
    /// Requests that are judged; 0 when no goal is set.
    pub(crate) eligible: u64,
}

/// One metric over time, as one series or one per value of a dimension.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeseries {
    /// What the values are.
    pub(crate) metric: MetricWord,
    /// Their unit.
    pub(crate) unit: UnitWord,
    /// Start of the window, included.
    pub(crate) from: Moment,
    /// End of the window, not included.
    pub(crate) to: Moment,
    /// Time between two points.
    pub(crate) step_ms: u64,
    /// One series without `by`, else one for each value.
    pub(crate) series: Vec<Series>,
}

/// One line of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Series {
    /// The dimension and its value, such as `{"replica": "10.0.0.1:8000"}`; empty without `by`. The value is
    /// null for the requests where it is unknown.
    pub(crate) labels: BTreeMap<String, Option<String>>,
    /// One point per step, oldest first.
    pub(crate) points: Vec<Point>,
}

/// A step's start as milliseconds since 1970-01-01T00:00:00Z, and its value. Null is a gap: nothing is known.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Point(pub(crate) i64, pub(crate) Option<f64>);

// === impl Figures ===

impl Figures {
    /// The figures as JSON shows them. `span` is what rates are taken over; `None` when it is too short.
    pub(crate) fn of(summary: &ledger::Summary, span: Option<Duration>) -> Self {
        let rate = |count: u64| span.map(|span| count_f64(count) / span.as_secs_f64());
        let tokens = summary.tokens;
        let is_empty = summary.requests == 0;
        Self {
            requests: summary.requests,
            streams: summary.streams,
            failures: summary.failures,
            error_rate: (!is_empty).then(|| count_f64(summary.failures) / count_f64(summary.requests)),
            outcomes: summary
                .outcomes
                .iter()
                .map(|(outcome, count)| (outcome.as_str(), *count))
                .collect(),
            tokens: TokenSums {
                prompt: tokens.prompt,
                completion: tokens.completion,
                cached: tokens.cached,
                reasoning: tokens.reasoning,
                reported_requests: tokens.reported_requests,
            },
            ttft_ms: (&summary.ttft).into(),
            itl_ms: (&summary.itl).into(),
            tpot_ms: (&summary.tpot).into(),
            e2e_ms: (&summary.e2e).into(),
            queue_ms: (&summary.queue).into(),
            overhead_ms: (&summary.overhead).into(),
            rate_span_ms: span.and_then(|span| u64::try_from(duration_ms_i64(span)).ok()),
            requests_per_second: rate(summary.requests),
            tokens_per_second: tokens.completion.and_then(rate),
            prompt_tokens_per_second: tokens.prompt.and_then(rate),
            goodput: Goodput {
                good: summary.goodput.good,
                eligible: summary.goodput.eligible,
            },
        }
    }
}

// === impl Point ===

impl PartialSchema for Point {
    fn schema() -> RefOr<Schema> {
        let moment = ObjectBuilder::new().schema_type(Type::Integer);
        let value = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Null]));
        ArrayBuilder::new()
            .description(Some(
                "A step's start as milliseconds since 1970-01-01T00:00:00Z, and its value. Null is a gap: \
                 nothing is known.",
            ))
            .prefix_items([moment, value])
            .items(ArrayItems::False)
            .min_items(Some(2))
            .max_items(Some(2))
            .into()
    }
}

impl ToSchema for Point {
    fn name() -> Cow<'static, str> {
        "Point".into()
    }
}

// === impl Distribution ===

impl From<&ledger::Distribution> for Distribution {
    fn from(spread: &ledger::Distribution) -> Self {
        Self {
            count: spread.count,
            mean: spread.mean.map(span_ms),
            p50: spread.p50.map(span_ms),
            p90: spread.p90.map(span_ms),
            p95: spread.p95.map(span_ms),
            p99: spread.p99.map(span_ms),
            max: spread.max.map(span_ms),
        }
    }
}
