//! What a question may name: dimensions to filter and group by, and the metrics of a time series.

use std::fmt;

use record::{Name, labels};

use crate::cell::Wanted;

labels! {
    /// A property that requests can be grouped by.
    Dimension {
        /// The model that answered, else the one that was asked for.
        Model = "model",
        /// The pool that took the request.
        Pool = "pool",
        /// The replica of the last attempt.
        Replica = "replica",
        /// What was asked for, by path.
        Endpoint = "endpoint",
        /// How the request ended.
        Outcome = "outcome",
        /// Whether a stream was asked for: `true` or `false`.
        Stream = "stream",
        /// The hash or alias of the API key.
        Key = "key",
        /// The hash of the end user.
        User = "user",
        /// Why choice 0 ended.
        FinishReason = "finish_reason",
        /// The class of the error.
        ErrorType = "error_type",
    }
}

labels! {
    /// What a time series shows. Percentiles come from merged sketches, never from averages.
    Metric {
        /// Requests that began in the bucket.
        Requests = "requests",
        /// Requests per second.
        RequestsPerSecond = "requests_per_second",
        /// Failures of the serving side over all requests.
        ErrorRate = "error_rate",
        /// Requests that met the service goals over those that could have.
        Goodput = "goodput",
        /// Median time to first token.
        TtftP50 = "ttft_p50",
        /// 90th percentile of the time to first token.
        TtftP90 = "ttft_p90",
        /// 95th percentile of the time to first token.
        TtftP95 = "ttft_p95",
        /// 99th percentile of the time to first token.
        TtftP99 = "ttft_p99",
        /// Mean time to first token.
        TtftMean = "ttft_mean",
        /// Mean of all gaps between token arrivals.
        ItlMean = "itl_mean",
        /// Median gap between token arrivals.
        ItlP50 = "itl_p50",
        /// 95th percentile of the gaps between token arrivals.
        ItlP95 = "itl_p95",
        /// 99th percentile of the gaps between token arrivals.
        ItlP99 = "itl_p99",
        /// Mean time per output token.
        TpotMean = "tpot_mean",
        /// Median time per output token.
        TpotP50 = "tpot_p50",
        /// 90th percentile of the time per output token.
        TpotP90 = "tpot_p90",
        /// 95th percentile of the time per output token.
        TpotP95 = "tpot_p95",
        /// 99th percentile of the time per output token.
        TpotP99 = "tpot_p99",
        /// Mean time of the whole request.
        E2eMean = "e2e_mean",
        /// Median time of the whole request.
        E2eP50 = "e2e_p50",
        /// 90th percentile of the time of the whole request.
        E2eP90 = "e2e_p90",
        /// 95th percentile of the time of the whole request.
        E2eP95 = "e2e_p95",
        /// 99th percentile of the time of the whole request.
        E2eP99 = "e2e_p99",
        /// 95th percentile of the wait for a replica.
        QueueP95 = "queue_p95",
        /// 99th percentile of the time spent in our own code.
        OverheadP99 = "overhead_p99",
        /// Prompt tokens per second, of requests that reported them.
        PromptTokens = "prompt_tokens",
        /// Generated tokens per second, of requests that reported them.
        CompletionTokens = "completion_tokens",
        /// Cached prompt tokens per second, of requests that reported them.
        CachedTokens = "cached_tokens",
    }
}

/// What requests are grouped by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// A property that every request has.
    Dimension(Dimension),
    /// A configured tag, by its name. Requests without it are in no group.
    Tag(Name),
}

/// The unit of a metric's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// A number of requests.
    Count,
    /// 0 to 1.
    Ratio,
    /// Milliseconds.
    Milliseconds,
    /// Something per second.
    PerSecond,
}

// === impl By ===

impl From<Dimension> for By {
    fn from(dimension: Dimension) -> Self {
        Self::Dimension(dimension)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimension(dimension) => dimension.fmt(f),
            Self::Tag(name) => write!(f, "tag.{name}"),
        }
    }
}

// === impl Metric ===

impl Metric {
    /// What of a cell the values are made of.
    pub(crate) const fn wanted(self) -> Wanted {
        match self {
            Self::Requests
            | Self::RequestsPerSecond
            | Self::ErrorRate
            | Self::Goodput
            | Self::PromptTokens
            | Self::CompletionTokens
            | Self::CachedTokens => Wanted::Counts,
            Self::TtftMean | Self::TtftP50 | Self::TtftP90 | Self::TtftP95 | Self::TtftP99 => Wanted::One(0),
            Self::ItlMean | Self::ItlP50 | Self::ItlP95 | Self::ItlP99 => Wanted::One(1),
            Self::TpotMean | Self::TpotP50 | Self::TpotP90 | Self::TpotP95 | Self::TpotP99 => Wanted::One(2),
            Self::E2eMean | Self::E2eP50 | Self::E2eP90 | Self::E2eP95 | Self::E2eP99 => Wanted::One(3),
            Self::QueueP95 => Wanted::One(4),
            Self::OverheadP99 => Wanted::One(5),
        }
    }

    /// The unit of the values.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Requests => Unit::Count,
            Self::ErrorRate | Self::Goodput => Unit::Ratio,
            Self::RequestsPerSecond | Self::PromptTokens | Self::CompletionTokens | Self::CachedTokens => {
                Unit::PerSecond
            }
            _ => Unit::Milliseconds,
        }
    }
}

// === impl Unit ===

impl Unit {
    /// The word for this unit in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Ratio => "ratio",
            Self::Milliseconds => "ms",
            Self::PerSecond => "per_second",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for metric in Metric::ALL {
            assert_eq!(Metric::parse(metric.as_str()), Some(*metric));
        }
        for dimension in Dimension::ALL {
            assert_eq!(Dimension::parse(dimension.as_str()), Some(*dimension));
        }
        assert_eq!(Dimension::parse("1; DROP TABLE request"), None);
    }

    #[test]
    fn spans_are_milliseconds() {
        assert_eq!(Metric::TtftP95.unit().as_str(), "ms");
        assert_eq!(Metric::CompletionTokens.unit().as_str(), "per_second");
    }
}
