//! From the end of a request to the ledger, without ever blocking a request.
//!
//! ```text
//! request ends -> Sink::push (one try_send) -> channel -> writer thread: counts it in Prometheus, batches it
//! -> ledger
//! ```
//! The writer is never woken for a single record: waking a parked thread costs the data path 30 to 60 times
//! the push itself, so the writer looks by itself ten times a second. `finished == written + queued +
//! dropped` holds at all times.

mod writer;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::Thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use prometheus::IntCounter;
use record::MetricRecord;

pub(crate) use writer::{WriterHealth, WriterThread};

/// Records between the data path and the writer. Why this number: 32 s at 2,000 requests a second, 0.5 MiB of
/// pointers.
const QUEUE_LEN_MAX: usize = 65_536;

/// The writer is woken early when so many records wait. Why this number: one batch.
const HIGH_WATER: usize = 4_096;

/// The data path's end of the channel.
#[derive(Debug)]
pub(crate) struct Sink {
    queue: Sender<Box<MetricRecord>>,
    writer: OnceLock<Thread>,
    finished: IntCounter,
    dropped: IntCounter,
    /// Records that the writer took and has not committed.
    in_hand: AtomicU64,
}

// === impl Sink ===

impl Sink {
    /// A channel; `finished` and `dropped` count every push and every refused one.
    pub(crate) fn new(finished: IntCounter, dropped: IntCounter) -> (Self, Receiver<Box<MetricRecord>>) {
        let (queue, records) = bounded(QUEUE_LEN_MAX);
        (
            Self {
                queue,
                writer: OnceLock::new(),
                finished,
                dropped,
                in_hand: AtomicU64::new(0),
            },
            records,
        )
    }

    /// Hands a record over: one allocation, no lock that anyone holds for long, no system call but at high
    /// water.
    pub(crate) fn push(&self, record: MetricRecord) {
        self.finished.inc();
        match self.queue.try_send(Box::new(record)) {
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

    /// Records that ended and are not committed yet.
    pub(crate) fn queued(&self) -> u64 {
        u64::try_from(self.queue.len()).unwrap_or(u64::MAX) + self.in_hand.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use ::record::Outcome;

    use super::*;
    use crate::telemetry::tests::record;

    #[test]
    fn a_full_queue_drops_and_counts_and_never_blocks() {
        let finished = IntCounter::new("finished", "f").unwrap();
        let dropped = IntCounter::new("dropped", "d").unwrap();
        let (sink, records) = Sink::new(finished.clone(), dropped.clone());
        let extra = 10;
        for _ in 0..QUEUE_LEN_MAX + extra {
            sink.push(record("m", Outcome::Success));
        }
        assert_eq!(dropped.get(), u64::try_from(extra).unwrap());
        assert_eq!(
            finished.get(),
            sink.queued() + dropped.get(),
            "the conservation law"
        );
        drop(records);
        sink.push(record("m", Outcome::Success));
        assert_eq!(
            dropped.get(),
            u64::try_from(extra).unwrap() + 1,
            "a writer that is gone is no reason to fail"
        );
    }
}
