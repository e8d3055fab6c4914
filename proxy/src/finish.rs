//! The last touch on a record, on the writer thread: what needs other requests or the configuration.
//!
//! The data path hands over what it saw; here a slow client's times are taken back, missing token counts are
//! estimated, and the goals are judged. Nothing here is on the way of a byte.

use record::{Flags, MetricRecord};

use crate::estimate::Estimates;
use crate::slo::{Goals, Verdict};

/// A client that held the stream up for more than this share of its generation has made the times its own.
const STALL_SHARE: u32 = 10;

/// Finishes records, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Finisher {
    estimates: Estimates,
}

// === impl Finisher ===

impl Finisher {
    /// Completes a record and says how it stands to the goals.
    pub(crate) fn finish(&mut self, record: &mut MetricRecord, goals: &Goals) -> Verdict {
        take_back_stalled(record);
        self.estimates.settle(record);
        let verdict = goals.judge(record);
        record.good = verdict.all;
        verdict
    }
}

/// Behind a slow client the replica's bytes wait in our buffers: the last token's time is then the client's,
/// and a time per token from it would blame the model.
fn take_back_stalled(record: &mut MetricRecord) {
    let (Some(stall), Some(generation)) = (record.times.client_stall, record.times.generation) else {
        return;
    };
    if stall > generation / STALL_SHARE {
        record.times.tpot = None;
        record.flags.insert(Flags::SLOW_CLIENT);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use record::Outcome;

    use super::*;
    use crate::telemetry::tests::record;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slow_clients_stream_has_no_time_per_token() {
        for (stall, slow) in [(None, false), (Some(100 * MS), false), (Some(101 * MS), true)] {
            let mut record = record("m", Outcome::Success);
            record.times.generation = Some(1_000 * MS);
            record.times.tpot = Some(10 * MS);
            record.times.client_stall = stall;
            let goals = Goals {
                tpot: Some(5 * MS),
                ..Goals::default()
            };
            let verdict = Finisher::default().finish(&mut record, &goals);
            assert_eq!(record.flags.contains(Flags::SLOW_CLIENT), slow, "{stall:?}");
            assert_eq!(record.times.tpot.is_none(), slow, "{stall:?}");
            assert_eq!(
                record.good,
                Some(slow),
                "a slow client is not the service's fault: {stall:?}"
            );
            assert_eq!(verdict.all, record.good);
        }
    }

    #[test]
    fn without_goals_good_is_unknown() {
        let mut record = record("m", Outcome::Success);
        Finisher::default().finish(&mut record, &Goals::default());
        assert_eq!(record.good, None);
    }
}
