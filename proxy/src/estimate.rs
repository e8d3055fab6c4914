//! Estimates of generated tokens where the replica reported none: a client that left, or a server without
//! usage.
//!
//! An estimate is the number of token events times what such an event was worth in finished streams of the
//! same model on the same replica: that corrects for speculative decoding, stream intervals and parsers that
//! hold text back. It stands in a column of its own and never enters a figure that claims to be exact.

use foldhash::HashMap;
use record::{MetricRecord, Name, Tokens, UsageSource};

/// Most pairs of model and replica that are learned. Why this number: 64 models on 64 replicas; beyond it
/// nothing is estimated for new ones.
const PAIRS_MAX: usize = 4_096;

/// What a stream's counts fade by when the next one comes: an eighth, so that a restarted replica with other
/// settings is learned within a few dozen streams.
const FADE: u64 = 8;

/// Sums are kept in parts of a token, so that fading by whole numbers loses nothing that shows.
const SCALE: u64 = 1 << 16;

/// What token events are worth, by model and replica.
#[derive(Debug, Default)]
pub(crate) struct Estimates(HashMap<(Name, Name), Worth>);

/// [`SCALE`] times the tokens and events of the streams seen so far, the latest weighing most and long ones
/// more than short ones.
#[derive(Clone, Copy, Debug, Default)]
struct Worth {
    tokens: u64,
    events: u64,
}

// === impl Estimates ===

impl Estimates {
    /// Learns from a record with exact counts; estimates for one without.
    pub(crate) fn settle(&mut self, record: &mut MetricRecord) {
        let Some(events) = record.usage.token_events.filter(|events| *events > 0) else {
            return;
        };
        let (Some(model), Some(replica)) = (record.model_name(), record.replica.as_ref()) else {
            return;
        };
        let pair = (model.clone(), replica.clone());
        match record.usage.completion {
            Some(tokens) if record.usage.source.is_exact() => {
                if let Some(worth) = self.0.get_mut(&pair) {
                    worth.learn(tokens, events);
                } else if self.0.len() < PAIRS_MAX {
                    self.0.entry(pair).or_default().learn(tokens, events);
                }
            }
            Some(_) => {}
            None => {
                let Some(estimate) = self.0.get(&pair).and_then(|worth| worth.of(events)) else {
                    return;
                };
                record.usage.completion_estimated = Some(estimate);
                record.usage.source = UsageSource::Estimated;
            }
        }
    }
}

// === impl Worth ===

impl Worth {
    fn learn(&mut self, Tokens(tokens): Tokens, events: u64) {
        let fade = |sum: u64, next: u64| (sum - sum / FADE).saturating_add(next.saturating_mul(SCALE));
        self.tokens = fade(self.tokens, tokens);
        self.events = fade(self.events, events);
    }

    /// What so many events are worth, rounded to whole tokens; `None` when nothing was learned.
    fn of(self, events: u64) -> Option<Tokens> {
        let tokens = u128::from(events) * u128::from(self.tokens) + u128::from(self.events / 2);
        let tokens = tokens.checked_div(u128::from(self.events))?;
        u64::try_from(tokens).ok().map(Tokens)
    }
}

#[cfg(test)]
mod tests {
    use record::Outcome;

    use super::*;
    use crate::telemetry::tests::record;

    /// A stream with so many token events and, where it is known, so many tokens.
    fn stream(model: &str, events: u64, tokens: Option<u64>) -> MetricRecord {
        let mut record = record(model, Outcome::Success);
        record.usage.token_events = Some(events);
        record.usage.completion = tokens.map(Tokens);
        if tokens.is_none() {
            record.usage.source = UsageSource::None;
        }
        record
    }

    #[test]
    fn a_stream_without_usage_is_worth_what_its_like_were() {
        let mut estimates = Estimates::default();
        let mut unknown = stream("m", 10, None);
        estimates.settle(&mut unknown);
        assert_eq!(
            unknown.usage.completion_estimated, None,
            "nothing is known, nothing is guessed"
        );
        for _ in 0..20 {
            estimates.settle(&mut stream("m", 10, Some(30)));
            estimates.settle(&mut stream("other", 10, Some(10)));
        }
        for (model, tokens) in [("m", 30), ("other", 10)] {
            let mut unknown = stream(model, 10, None);
            estimates.settle(&mut unknown);
            assert_eq!(
                unknown.usage.completion_estimated,
                Some(Tokens(tokens)),
                "{model}"
            );
            assert_eq!(unknown.usage.source, UsageSource::Estimated);
            assert_eq!(
                unknown.usage.completion, None,
                "an estimate stays out of the exact column"
            );
        }
        let mut body = stream("m", 0, None);
        estimates.settle(&mut body);
        assert_eq!(body.usage.source, UsageSource::None, "no event, no estimate");
    }

    #[test]
    fn the_latest_and_the_long_streams_weigh_most() {
        let mut worth = Worth::default();
        assert_eq!(worth.of(10), None);
        worth.learn(Tokens(1), 1);
        for _ in 0..40 {
            worth.learn(Tokens(400), 100);
        }
        assert_eq!(worth.of(10), Some(Tokens(40)));
        worth.learn(Tokens(1), 1);
        assert_eq!(worth.of(10), Some(Tokens(40)), "one short stream moves nothing");
        for _ in 0..40 {
            worth.learn(Tokens(100), 100);
        }
        assert_eq!(worth.of(10), Some(Tokens(10)), "another setting is learned");
    }

    #[test]
    fn what_is_learned_is_bounded() {
        let mut estimates = Estimates::default();
        for number in 0..PAIRS_MAX + 10 {
            estimates.settle(&mut stream(&format!("m{number}"), 1, Some(1)));
        }
        assert_eq!(estimates.0.len(), PAIRS_MAX);
    }
}
