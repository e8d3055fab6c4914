//! The records that are written next, in one transaction. A batch that failed stays as it is.

use std::time::Instant;

use record::MetricRecord;

use super::HIGH_WATER;
use super::backlog::Backlog;

/// Records of one transaction, and when their requests ended.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<MetricRecord>,
    ended_at: Vec<Instant>,
}

// === impl Batch ===

impl Batch {
    /// An empty batch with its room.
    pub(super) fn new() -> Self {
        Self {
            records: Vec::with_capacity(HIGH_WATER),
            ended_at: Vec::with_capacity(HIGH_WATER),
        }
    }

    /// Takes the oldest records until the batch is full.
    pub(super) fn fill(&mut self, backlog: &mut Backlog) {
        while self.records.len() < HIGH_WATER {
            let Some(held) = backlog.pop() else { return };
            self.records.push(*held.record);
            self.ended_at.push(held.ended_at);
        }
    }

    /// What is to be written.
    pub(super) fn records(&self) -> &[MetricRecord] {
        &self.records
    }

    /// When the requests of the records ended, in their order.
    pub(super) fn ended_at(&self) -> &[Instant] {
        &self.ended_at
    }

    /// Records in it.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets the records: they are committed.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.ended_at.clear();
    }
}

#[cfg(test)]
mod tests {
    use ::record::Outcome;

    use super::*;
    use crate::clock;
    use crate::recorder::Held;
    use crate::telemetry::tests::record;

    #[test]
    fn a_batch_takes_the_oldest_and_stays_until_it_is_cleared() {
        let mut backlog = Backlog::new(u64::MAX);
        for n in 0..HIGH_WATER + 1 {
            let held = Held {
                ended_at: clock::now(),
                record: Box::new(MetricRecord {
                    id: n.to_string().into(),
                    ..record("m", Outcome::Success)
                }),
            };
            assert!(backlog.push(held).is_none());
        }
        let mut batch = Batch::new();
        batch.fill(&mut backlog);
        batch.fill(&mut backlog);
        assert_eq!((batch.records().len(), backlog.len()), (HIGH_WATER, 1));
        assert_eq!(&*batch.records()[0].id, "0");
        assert_eq!(batch.ended_at().len(), HIGH_WATER, "each has its moment");
        batch.clear();
        batch.fill(&mut backlog);
        assert_eq!(batch.records().len(), 1, "the last one");
    }
}
