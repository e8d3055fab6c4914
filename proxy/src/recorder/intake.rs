//! From the channel into the backlog: finishes each record, counts it in Prometheus, and keeps what the
//! ledger has yet to take.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use ledger::{ClosedRemainder, Remainder};

use super::backlog::Backlog;
use super::batch::Batch;
use super::{Held, QUEUE_LEN_MAX};
use crate::clock;
use crate::finish::Finisher;
use crate::shared::Shared;
use crate::telemetry::Dropped;

/// How often the writer looks for records. Why this number: a commit costs a millisecond of processor however
/// little is in it, and a record is still committed within the half second that is promised.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(400);

/// How long the last batches may take after the last request. Why this number: below the margin that
/// supervisors and Kubernetes leave after a drain; what cannot be written by then is counted as dropped.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The writer's end of the channel, and what waits behind it.
#[derive(Debug)]
pub(super) struct Intake {
    shared: Arc<Shared>,
    records: Receiver<Held>,
    finisher: Finisher,
    backlog: Backlog,
    bytes_max: u64,
    /// What the records that had no room add to the sums.
    remainder: Remainder,
    /// Something was dropped since the ledger last took a batch, and the log says so.
    overflowing: bool,
    /// When the last batches must be written; `None` before the end.
    ends_at: Option<Instant>,
}

// === impl Intake ===

impl Intake {
    pub(super) fn new(shared: Arc<Shared>, records: Receiver<Held>) -> Self {
        let bytes_max = shared.settings().overflow;
        Self {
            bytes_max,
            finisher: Finisher::default(),
            shared,
            records,
            backlog: Backlog::new(bytes_max),
            remainder: Remainder::default(),
            overflowing: false,
            ends_at: None,
        }
    }

    /// Waits for work on the ledger, during which records are taken from the channel all the same: however
    /// long the disk takes, the data path finds room. `oldest` is the oldest record of the batch. `None` when
    /// the end came first.
    pub(super) async fn attend<T>(
        &mut self,
        oldest: Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return Some(outcome),
                () = tokio::time::sleep(LOOK_EVERY) => self.take(),
            }
            self.note(oldest);
            if self.shared.closing.load(Relaxed) && self.is_over() {
                return None;
            }
        }
    }

    /// Whether the time for the last batches is over; it begins with the first question.
    pub(super) fn is_over(&mut self) -> bool {
        let now = clock::now();
        now >= *self.ends_at.get_or_insert(now + LAST_WORDS)
    }

    /// Empties the channel. Bounded by its length, so that it ends however fast requests end.
    pub(super) fn take(&mut self) {
        let goals = self.shared.settings().slo;
        for mut held in self.records.try_iter().take(QUEUE_LEN_MAX) {
            let verdict = self.finisher.finish(&mut held.record, &goals);
            self.shared.telemetry.observe(&held.record, verdict);
            if let Some(refused) = self.backlog.push(held) {
                if !self.remainder.add(&refused.record) {
                    self.shared.telemetry.pipeline.uncounted.inc();
                }
                self.shared.telemetry.pipeline.books.give_up(Dropped::Overflow, 1);
                if !self.overflowing {
                    self.overflowing = true;
                    tracing::error!(
                        "the ledger has not taken records for so long that the memory for them is full: \
                         rows are dropped until it does, sums count them all the same"
                    );
                }
            }
        }
    }

    /// Moves the oldest records into the batch.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        batch.fill(&mut self.backlog);
    }

    /// The sums of the records that had no room, if there are any; they are then the caller's.
    pub(super) fn take_remainder(&mut self) -> Option<ClosedRemainder> {
        (!self.remainder.is_empty()).then(|| std::mem::take(&mut self.remainder).close())
    }

    /// The ledger took a batch.
    pub(super) const fn committed(&mut self) {
        self.overflowing = false;
    }

    /// Says how much waits and since when; `oldest` is the oldest record of the batch, if there is one.
    pub(super) fn note(&self, oldest: Option<Instant>) {
        let waiting = self.backlog.oldest().map(|held| held.ended_at);
        let bytes = self.backlog.bytes();
        self.shared.writer_health.update(|state| {
            state.oldest = oldest.or(waiting);
            state.backlog_bytes = bytes;
            state.backlog_bytes_max = self.bytes_max;
        });
    }

    /// Records that wait, beside those of a batch.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.backlog.len() + self.records.len()).unwrap_or(u64::MAX)
    }
}
