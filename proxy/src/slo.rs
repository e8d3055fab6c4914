//! The service goals: whether a request was served as promised.
//!
//! Definition: `docs/metrics.md`. A failure is bad, whatever its times; a client's own error and a client
//! that left before the first token say nothing about the service and are not counted.

use std::time::Duration;

use record::{MetricRecord, Outcome};

/// The goals. `None` is no goal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Goals {
    /// Longest time to first token of a stream.
    pub ttft: Option<Duration>,
    /// Longest time per output token of a stream.
    pub tpot: Option<Duration>,
    /// Longest time for the whole answer.
    pub e2e: Option<Duration>,
}

/// What the goals say about one request. `None`: the goal is not set or has no meaning for it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) ttft: Option<bool>,
    pub(crate) tpot: Option<bool>,
    pub(crate) e2e: Option<bool>,
    /// All goals together; what the record keeps as `good`.
    pub(crate) all: Option<bool>,
}

// === impl Goals ===

impl Goals {
    /// Judges a finished request.
    pub(crate) fn judge(&self, record: &MetricRecord) -> Verdict {
        let set = self.ttft.is_some() || self.tpot.is_some() || self.e2e.is_some();
        if !set || !is_eligible(record) {
            return Verdict::default();
        }
        let served = record.outcome == Outcome::Success;
        let within = |span: Option<Duration>, goal: Option<Duration>| {
            let span_is_good = span.map(|span| goal.is_none_or(|goal| span <= goal));
            goal.and(span_is_good)
        };
        let times = &record.times;
        let streams = record.shape.stream == Some(true);
        let ttft = match within(times.ttft, self.ttft) {
            // A stream that failed before its first token has missed the goal, not avoided it.
            None if streams && !served => self.ttft.map(|_| false),
            judged => judged,
        };
        let tpot = within(times.tpot, self.tpot);
        let e2e = within(Some(times.e2e), self.e2e).map(|good| good && served);
        let missed = [ttft, tpot, e2e].contains(&Some(false));
        Verdict {
            ttft,
            tpot,
            e2e,
            all: Some(served && !missed),
        }
    }
}

/// Whether a request says anything about the service.
fn is_eligible(record: &MetricRecord) -> bool {
    match record.outcome {
        Outcome::ClientError => false,
        Outcome::ClientCancelled => record.times.ttft.is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::record;

    const MS: Duration = Duration::from_millis(1);

    fn goals() -> Goals {
        Goals {
            ttft: Some(100 * MS),
            tpot: Some(20 * MS),
            e2e: Some(1_000 * MS),
        }
    }

    /// A stream with these times in milliseconds.
    fn stream(outcome: Outcome, ttft: Option<u32>, tpot: Option<u32>, e2e: u32) -> MetricRecord {
        let mut record = record("m", outcome);
        record.times.ttft = ttft.map(|ms| ms * MS);
        record.times.tpot = tpot.map(|ms| ms * MS);
        record.times.e2e = e2e * MS;
        record
    }

    #[test]
    fn a_request_is_good_when_it_was_served_within_every_goal() {
        use Outcome::{ClientCancelled, ClientError, Success, TimeoutFirstByte, UpstreamTruncated};
        for (record, verdict) in [
            (stream(Success, Some(100), Some(20), 1_000), [Some(true); 4]),
            (
                stream(Success, Some(101), Some(20), 1_000),
                [Some(false), Some(true), Some(true), Some(false)],
            ),
            (
                stream(Success, Some(100), Some(21), 1_000),
                [Some(true), Some(false), Some(true), Some(false)],
            ),
            (
                stream(Success, Some(100), None, 1_000),
                [Some(true), None, Some(true), Some(true)],
            ),
            (
                stream(Success, Some(1), None, 1_001),
                [Some(true), None, Some(false), Some(false)],
            ),
            (
                stream(UpstreamTruncated, Some(1), Some(1), 1),
                [Some(true), Some(true), Some(false), Some(false)],
            ),
            (
                stream(TimeoutFirstByte, None, None, 1),
                [Some(false), None, Some(false), Some(false)],
            ),
            (
                stream(ClientCancelled, Some(1), None, 1),
                [Some(true), None, Some(false), Some(false)],
            ),
            (stream(ClientCancelled, None, None, 1), [None; 4]),
            (stream(ClientError, None, None, 1), [None; 4]),
        ] {
            let Verdict { ttft, tpot, e2e, all } = goals().judge(&record);
            assert_eq!(
                [ttft, tpot, e2e, all],
                verdict,
                "{:?} {:?}",
                record.outcome,
                record.times
            );
        }
    }

    #[test]
    fn what_is_no_stream_has_only_its_whole_time() {
        let mut body = stream(Outcome::Success, None, None, 1_000);
        body.shape.stream = Some(false);
        assert_eq!(goals().judge(&body).ttft, None);
        assert_eq!(goals().judge(&body).all, Some(true));
        body.outcome = Outcome::UpstreamError;
        let verdict = goals().judge(&body);
        assert_eq!((verdict.ttft, verdict.all), (None, Some(false)));
    }

    #[test]
    fn without_goals_nothing_is_good_or_bad() {
        let record = stream(Outcome::Success, Some(1), Some(1), 1);
        assert_eq!(Goals::default().judge(&record), Verdict::default());
        let only_ttft = Goals {
            ttft: Some(MS),
            ..Goals::default()
        };
        let verdict = only_ttft.judge(&record);
        assert_eq!(
            (verdict.ttft, verdict.tpot, verdict.e2e, verdict.all),
            (Some(true), None, None, Some(true))
        );
    }
}
