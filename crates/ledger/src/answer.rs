//! Answers of the ledger, in domain types. JSON is made by the metrics API.

use std::time::Duration;

use record::{MetricRecord, Name, Outcome, UnixMillis};

use crate::words::{By, Metric};

/// The figures of all requests that a question is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Begin of the window that was really covered. Earlier than asked for only where finer rows have been
    /// pruned.
    pub from: UnixMillis,
    /// End of the window that was really covered, exclusive.
    pub to: UnixMillis,
    /// All requests, however they ended.
    pub requests: u64,
    /// Requests that asked for a stream.
    pub streams: u64,
    /// Requests by outcome; outcomes that did not happen are left out.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Requests for which the serving side failed ([`Outcome::is_failure`]).
    pub failures: u64,
    /// Token sums.
    pub tokens: TokenSums,
    /// Time to first token; streams only.
    pub ttft: Distribution,
    /// Gaps between token arrivals: every gap of every request is one value.
    pub itl: Distribution,
    /// Time per output token, one value per request.
    pub tpot: Distribution,
    /// Whole time of a request, one value per request.
    pub e2e: Distribution,
    /// Wait for a replica.
    pub queue: Distribution,
    /// Time spent in our own code.
    pub overhead: Distribution,
    /// Service goals.
    pub goodput: Goodput,
    /// When the first of these requests began; `None` when there is none.
    pub first_at: Option<UnixMillis>,
    /// When the last of these requests ended; `None` when there is none.
    pub last_at: Option<UnixMillis>,
}

/// Sums of reported tokens. A sum is `None` when no request reported that count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TokenSums {
    /// Prompt tokens.
    pub prompt: Option<u64>,
    /// Generated tokens.
    pub completion: Option<u64>,
    /// Prompt tokens that were read from a cache.
    pub cached: Option<u64>,
    /// Generated tokens that were reasoning.
    pub reasoning: Option<u64>,
    /// Requests that reported exact counts: the coverage of `prompt` and `completion`.
    pub reported_requests: u64,
}

/// A distribution of time spans. Percentiles are at most 1 % off; count, mean and max are exact.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Distribution {
    /// Number of values; every other field is `None` when it is 0.
    pub count: u64,
    /// Mean.
    pub mean: Option<Duration>,
    /// Median.
    pub p50: Option<Duration>,
    /// 90th percentile.
    pub p90: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
    /// Largest value.
    pub max: Option<Duration>,
}

/// How many requests met the service goals.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Goodput {
    /// Requests that met all goals.
    pub good: u64,
    /// Requests that could have.
    pub eligible: u64,
}

/// One metric over time, one series per group.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeseries {
    /// What the values are.
    pub metric: Metric,
    /// Width of a bucket. Buckets begin at multiples of it since 1970.
    pub step: Duration,
    /// Largest group first; one series when nothing is grouped by. Every series has the same moments.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The group: a dimension and its value, which is `None` for requests that have none.
    pub label: Option<(By, Option<Name>)>,
    /// Begin of each bucket and its value; `None` is a gap. Spans are in milliseconds.
    pub points: Vec<(UnixMillis, Option<f64>)>,
}

/// The figures of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakdownRow {
    /// The group's value; `None` for requests that have none.
    pub key: Option<Name>,
    /// Its figures.
    pub summary: Summary,
}

/// One page of records, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestsPage {
    /// The records.
    pub records: Vec<MetricRecord>,
    /// Cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// The values that each filter can take in a window, sorted. Requests without a value are not listed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facets {
    /// Models.
    pub model: Vec<Name>,
    /// Pools.
    pub pool: Vec<Name>,
    /// Replicas.
    pub replica: Vec<Name>,
    /// Endpoints.
    pub endpoint: Vec<Name>,
    /// Outcomes.
    pub outcome: Vec<Name>,
    /// API keys, the busiest first, at most [`FACET_VALUES_MAX`].
    pub key: Vec<Name>,
    /// End users, the busiest first, at most [`FACET_VALUES_MAX`].
    pub user: Vec<Name>,
}

/// Most values of one facet: a list to choose from, not an export.
pub const FACET_VALUES_MAX: usize = 500;
