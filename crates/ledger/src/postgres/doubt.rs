//! Batches of which nobody knows whether they are stored: COMMIT was sent, and the connection broke before
//! the answer. The caller is told to try again; what turns out to be stored is left out of what it tries.

use std::collections::VecDeque;

use record::{MetricRecord, Name, UnixMillis};

/// Records that are remembered as stored though their caller was told otherwise: more than it keeps.
const STORED_LEN_MAX: usize = 1 << 20;

/// What is in doubt, and what came out of it.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// The batch whose commit was not confirmed.
    open: Option<Doubt>,
    /// Records that are stored, but for which the caller was told to try again; the oldest first.
    stored: VecDeque<Trace>,
}

#[derive(Debug)]
struct Doubt {
    /// The number that its transaction wrote.
    batch: i64,
    records: Vec<Trace>,
}

/// By which a record is known again.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Trace {
    id: Name,
    started_at: UnixMillis,
}

// === impl Doubts ===

impl Doubts {
    /// A batch may be stored or not.
    pub(super) fn begin(&mut self, batch: i64, records: &[MetricRecord]) {
        self.open = Some(Doubt {
            batch,
            records: records.iter().map(Trace::of).collect(),
        });
    }

    /// The ledger says which batch was the last.
    pub(super) fn settle(&mut self, batch: i64) {
        if let Some(doubt) = self.open.take()
            && batch >= doubt.batch
        {
            self.stored.extend(doubt.records);
            let beyond = self.stored.len().saturating_sub(STORED_LEN_MAX);
            self.stored.drain(..beyond);
        }
    }

    /// How many of these records, from the first on, are stored already.
    pub(super) fn already_stored(&self, records: &[MetricRecord]) -> usize {
        // The caller may have dropped some of them meanwhile, from the first on.
        let from = self.place_of(records.first());
        from.map_or(0, |from| {
            self.stored
                .iter()
                .skip(from)
                .zip(records)
                .take_while(|(trace, record)| **trace == Trace::of(record))
                .count()
        })
    }

    /// The caller was told that these are stored, and will not try them again.
    pub(super) fn confirmed(&mut self, records: &[MetricRecord]) {
        if let Some(last) = self.place_of(records.last()) {
            self.stored.drain(..=last);
        }
    }

    fn place_of(&self, record: Option<&MetricRecord>) -> Option<usize> {
        let trace = Trace::of(record?);
        self.stored.iter().position(|stored| *stored == trace)
    }
}

// === impl Trace ===

impl Trace {
    fn of(record: &MetricRecord) -> Self {
        Self {
            id: Name::clone(&record.id),
            started_at: record.started_at,
        }
    }
}
