//! From the end of a request to the ledger, without ever blocking a request.
//!
//! ```text
//! request ends -> Sink::push (one try_send) -> channel -> writer thread: counts it in Prometheus
//!     -> backlog (bounded in bytes) -> batch -> ledger
//! ```
//! The writer is never woken for a single record: waking a parked thread costs the data path 30 to 60 times
//! the push itself, so the writer looks by itself every 0.4 s, also while a batch is being written.
//! `finished == written + queued + dropped` holds at all times.

mod backlog;
mod backups;
mod batch;
mod health;
mod intake;
mod writer;

use std::sync::OnceLock;
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use prometheus::IntCounter;
use record::MetricRecord;

pub(crate) use backups::BackupThread;
pub(crate) use health::{WriterHealth, WriterState};
pub(crate) use writer::WriterThread;

/// Records between the data path and the writer. Why this number: the writer empties it every 0.4 s,
/// so this is 160,000 records a second even if nobody woke it; 1.5 MiB of pointers and instants.
pub(crate) const QUEUE_LEN_MAX: usize = 65_536;

/// The writer is woken early when so many records wait. Why this number: one batch.
const HIGH_WATER: usize = 4_096;

/// The data path's end of the channel. Public so that what it costs can be measured.
#[derive(Debug)]
pub struct Sink {
    queue: Sender<Held>,
    writer: OnceLock<Thread>,
    finished: IntCounter,
    dropped: IntCounter,
}

/// A record on its way to the ledger.
#[derive(Debug)]
pub struct Held {
    /// When its request ended: its age says how far the ledger is behind.
    pub(crate) ended_at: Instant,
    pub(crate) record: Box<MetricRecord>,
}

// === impl Sink ===

impl Sink {
    /// A channel; `finished` and `dropped` count every push and every refused one.
    #[must_use]
    pub fn new(finished: IntCounter, dropped: IntCounter) -> (Self, Receiver<Held>) {
        let (queue, records) = bounded(QUEUE_LEN_MAX);
        (
            Self {
                queue,
                writer: OnceLock::new(),
                finished,
                dropped,
            },
            records,
        )
    }

    /// Says which thread empties the queue, so that it is woken at high water. The first word holds.
    pub(crate) fn wakes(&self, thread: &JoinHandle<()>) {
        // The only other caller would be a second writer.
        let _first = self.writer.set(thread.thread().clone());
    }

    /// Hands over the record of a request that ended at `ended_at`: one allocation, no lock that anyone holds
    /// for long, no system call but at high water.
    pub fn push(&self, record: MetricRecord, ended_at: Instant) {
        self.finished.inc();
        let record = Box::new(record);
        match self.queue.try_send(Held { ended_at, record }) {
            Ok(()) => {
                // Equal, not above: one wake-up per crossing. A race may skip the value; the writer's timer
                // covers that.
                if self.queue.len() == HIGH_WATER
                    && let Some(writer) = self.writer.get()
                {
                    writer.unpark();
                }
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.dropped.inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ::record::Outcome;

    use super::*;
    use crate::clock;
    use crate::telemetry::tests::record;

    #[test]
    fn a_full_queue_drops_and_counts_and_never_blocks() {
        let finished = IntCounter::new("finished", "f").unwrap();
        let dropped = IntCounter::new("dropped", "d").unwrap();
        let (sink, records) = Sink::new(finished.clone(), dropped.clone());
        let extra = 10;
        for _ in 0..QUEUE_LEN_MAX + extra {
            sink.push(record("m", Outcome::Success), clock::now());
        }
        assert_eq!(dropped.get(), u64::try_from(extra).unwrap());
        assert_eq!(
            finished.get(),
            u64::try_from(records.len()).unwrap() + dropped.get(),
            "the conservation law"
        );
        drop(records);
        sink.push(record("m", Outcome::Success), clock::now());
        assert_eq!(
            dropped.get(),
            u64::try_from(extra).unwrap() + 1,
            "a writer that is gone is no reason to fail"
        );
    }
}
