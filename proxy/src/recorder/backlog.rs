//! Records that wait while the ledger does not take them: in order, bounded in bytes.
//!
//! Pure: no thread, no clock, no ledger. The writer thread owns it.

use std::collections::VecDeque;

use record::MetricRecord;

use super::Held;

/// What one record costs beside what [`weight`] adds up: two allocations with their headers, the id and its
/// counters, the slot in the queue and the part of the queue's spare room.
const RECORD_OVERHEAD: u64 = 160;

/// Bytes of one bucket of a sketch of gaps.
const BUCKET_BYTES: u64 = 8;

/// Records in the order of their ends, the oldest first.
#[derive(Debug)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    bytes: u64,
    bytes_max: u64,
}

// === impl Backlog ===

impl Backlog {
    /// An empty backlog that holds records of `bytes_max` bytes at most, by estimate.
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self {
            held: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Adds the newest record; gives it back when there is no room. The oldest are kept: they are the next to
    /// be written, and what is in the ledger then has no hole but at its end.
    pub(super) fn push(&mut self, mut held: Held) -> Option<Held> {
        let bytes = weight(&held.record);
        if self.bytes.saturating_add(bytes) > self.bytes_max {
            return Some(held);
        }
        // The sketch was made with spare room, which would be most of what a waiting record costs.
        held.record.gaps = held.record.gaps.clone();
        self.bytes += bytes;
        self.held.push_back(held);
        None
    }

    /// The oldest record.
    pub(super) fn pop(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.bytes -= weight(&held.record);
        if self.held.is_empty() {
            // The room of an outage is given back.
            self.held = VecDeque::new();
        }
        Some(held)
    }

    /// The record that [`Self::pop`] would give.
    pub(super) fn oldest(&self) -> Option<&Held> {
        self.held.front()
    }

    /// Estimated bytes of them.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records in it.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

/// Bytes that a waiting record takes, about. The same for the same record at any time.
fn weight(record: &MetricRecord) -> u64 {
    let fixed = u64::try_from(size_of::<MetricRecord>() + size_of::<Held>()).unwrap_or(u64::MAX);
    let gaps = u64::try_from(record.gaps.iter().count()).unwrap_or(u64::MAX);
    fixed
        .saturating_add(RECORD_OVERHEAD)
        .saturating_add(gaps.saturating_mul(BUCKET_BYTES))
}

#[cfg(test)]
mod tests {
    use ::record::Outcome;

    use super::*;
    use crate::clock;
    use crate::telemetry::tests::record;

    fn held(id: &str) -> Held {
        let record = MetricRecord {
            id: id.into(),
            ..record("m", Outcome::Success)
        };
        Held {
            ended_at: clock::now(),
            record: Box::new(record),
        }
    }

    #[test]
    fn the_oldest_are_kept_in_order_up_to_the_bound() {
        let one = weight(&held("x").record);
        let mut backlog = Backlog::new(3 * one);
        for id in ["a", "b", "c"] {
            assert!(backlog.push(held(id)).is_none(), "{id} has room");
        }
        let refused = backlog.push(held("d")).expect("there is room for three");
        assert_eq!(&*refused.record.id, "d", "the newest is the one that goes");
        assert_eq!(backlog.len(), 3);
        assert_eq!(&*backlog.oldest().unwrap().record.id, "a");
        assert_eq!(&*backlog.pop().unwrap().record.id, "a");
        assert!(backlog.push(held("e")).is_none(), "room again");
        let rest: Vec<_> = std::iter::from_fn(|| backlog.pop())
            .map(|held| held.record.id.to_string())
            .collect();
        assert_eq!(rest, ["b", "c", "e"]);
        assert_eq!((backlog.len(), backlog.bytes), (0, 0), "nothing is left over");
    }

    #[test]
    fn the_estimate_covers_what_a_record_takes() {
        let with_gaps = held("x").record;
        let mut without = with_gaps.clone();
        without.gaps = ::record::Sketch::default();
        assert_eq!(weight(&with_gaps) - weight(&without), BUCKET_BYTES, "one bucket");
        assert!(
            weight(&without) < 1_500,
            "a hundred megabytes must hold a minute of 1,000 requests a second: {}",
            weight(&without)
        );
    }
}
