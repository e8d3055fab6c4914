//! The writer thread: the only owner of the ledger's write connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::Receiver;
use ledger::{AppendError, ClosedRemainder, OpenError, Writer};
use record::Pulse;
use tokio::runtime::{Builder, Runtime};

use super::Held;
use super::batch::Batch;
use super::health::Trouble;
use super::intake::{Intake, LOOK_EVERY};
use crate::clock;
use crate::shared::Shared;
use crate::telemetry::Dropped;

/// How often a pulse is written.
const PULSE_EVERY: Duration = Duration::from_secs(1);

/// How often the writer looks for what is past its time; while a step says that there is more, after each
/// batch.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// First and longest wait before a failed batch is tried again. Why two seconds: when the cause is gone, the
/// ledger takes records within five, also when SQLite was just waiting for a lock.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// A cause that lasts is logged again after this time.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// How long closing the ledger may take after that. A log that is not folded in is read by the next start.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// The running thread.
#[derive(Debug)]
pub(crate) struct WriterThread(JoinHandle<()>);

struct Loop {
    runtime: Runtime,
    /// `None` while the proxy before this one still writes its last records: one ledger has one writer.
    ledger: Option<Writer>,
    shared: Arc<Shared>,
    intake: Intake,
    batch: Batch,
    /// Sums that are to be written when the ledger takes batches again.
    remainder: Option<ClosedRemainder>,
    pulse_due: Instant,
    prune_due: Instant,
    retry: Option<Retry>,
}

/// A batch failed and waits.
struct Retry {
    at: Instant,
    wait: Duration,
    code: &'static str,
    said: Instant,
}

// === impl WriterThread ===

impl WriterThread {
    /// Opens the ledger and starts the thread.
    ///
    /// # Errors
    /// When the ledger cannot be opened.
    pub(crate) fn start(shared: &Arc<Shared>, records: Receiver<Held>) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the writer's runtime")?;
        let ledger = match runtime.block_on(open(shared)) {
            Ok(ledger) => Some(ledger),
            Err(error) if error.is_taken() && shared.settings().successor => {
                tracing::info!("records wait until the proxy before this one has written its last");
                None
            }
            // Clients must be served, whether a database is up or not.
            Err(error) if error.is_passing() => {
                let error = anyhow::Error::from(error);
                tracing::error!("records wait until the ledger is there: {error:#}");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let now = clock::now();
        let writer = Loop {
            runtime,
            ledger,
            shared: Arc::clone(shared),
            intake: Intake::new(Arc::clone(shared), records),
            batch: Batch::new(),
            remainder: None,
            pulse_due: now,
            prune_due: now + PRUNE_EVERY,
            retry: None,
        };
        let handle = thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run())
            .context("starting the writer thread")?;
        shared.sink.wakes(&handle);
        Ok(Self(handle))
    }

    /// Writes everything that is queued and ends. Call after the last request.
    pub(crate) fn finish(self, shared: &Shared) {
        shared.closing.store(true, Relaxed);
        self.0.thread().unpark();
        if self.0.join().is_err() {
            tracing::error!("the writer thread panicked; the records it held are lost");
        }
    }
}

// === impl Loop ===

impl Loop {
    fn run(mut self) {
        loop {
            // Read before taking: whatever was pushed before the flag was set is then taken in this round.
            let closing = self.shared.closing.load(Relaxed);
            self.intake.take();
            self.intake.fill(&mut self.batch);
            self.note();
            let took = self.commit();
            self.commit_remainder();
            if closing {
                let is_done = self.batch.is_empty() && self.intake.len() == 0 && self.remainder.is_none();
                if self.intake.is_over() || is_done {
                    break;
                }
            } else {
                self.prune();
            }
            // After a committed batch the next one may be waiting already.
            if !took || self.intake.len() == 0 {
                thread::park_timeout(LOOK_EVERY);
            }
        }
        self.close();
    }

    /// Writes the batch and, once a second, the pulse; whether a batch was committed. A failed batch stays
    /// and is tried again later.
    fn commit(&mut self) -> bool {
        let now = clock::now();
        if self.retry.as_ref().is_some_and(|retry| now < retry.at) {
            return false;
        }
        let pulse = (now >= self.pulse_due).then(|| self.shared.pulse());
        if self.batch.is_empty() && pulse.is_none() {
            return false;
        }
        if self.ledger.is_none() {
            self.take_over(now);
            return false;
        }
        match self.append(pulse.as_ref()) {
            Some(Ok(())) => {
                self.committed(now);
                if pulse.is_some() {
                    self.pulse_due = now + PULSE_EVERY;
                }
                true
            }
            Some(Err(error)) => {
                let code = error.code();
                self.failed(now, code, &anyhow::Error::from(error));
                false
            }
            // The end came before an answer did; the batch counts as not written.
            None => false,
        }
    }

    /// One transaction; `None` when the end came before an answer.
    fn append(&mut self, pulse: Option<&Pulse>) -> Option<Result<(), AppendError>> {
        let append = self.ledger.as_mut()?.append(self.batch.records(), pulse);
        let oldest = self.batch.ended_at().first().copied();
        self.runtime.block_on(self.intake.attend(oldest, append))
    }

    /// Writes what dropped records add to the sums, as soon as nothing fails any more.
    fn commit_remainder(&mut self) {
        if self.retry.is_some() || (self.remainder.is_none() && !self.batch.is_empty()) {
            return;
        }
        self.remainder = self.remainder.take().or_else(|| self.intake.take_remainder());
        let (Some(ledger), Some(remainder)) = (&mut self.ledger, &self.remainder) else {
            return;
        };
        let now = clock::now();
        let append = ledger.append_remainder(remainder);
        match self.runtime.block_on(self.intake.attend(None, append)) {
            Some(Ok(())) => {
                let requests = remainder.requests();
                self.shared.telemetry.pipeline.summed.inc_by(requests);
                tracing::warn!(
                    requests,
                    "{requests} requests without a row are counted in the sums of the ledger"
                );
                self.remainder = None;
            }
            Some(Err(error)) => self.failed(now, error.code(), &anyhow::Error::from(error)),
            None => {}
        }
    }

    fn committed(&mut self, began: Instant) {
        let (now, pipeline) = (clock::now(), &self.shared.telemetry.pipeline);
        let took = now.saturating_duration_since(began);
        pipeline.write_seconds.observe(took.as_secs_f64());
        for ended_at in self.batch.ended_at() {
            let age = now.saturating_duration_since(*ended_at);
            pipeline.age_seconds.observe(age.as_secs_f64());
        }
        pipeline.books.write(self.batch.len());
        self.batch.clear();
        self.intake.committed();
        let health = self.ledger.as_ref().map(Writer::health);
        self.shared.writer_health.update(|state| {
            state.trouble = None;
            state.last_write_at = Some(clock::wall());
            state.last_write = Some(took);
            state.file_bytes = health.and_then(|health| health.file_bytes);
            state.wal_bytes = health.map(|health| health.wal_bytes);
        });
        self.note();
        if self.retry.take().is_some() {
            tracing::info!("the ledger takes records again");
        }
    }

    fn failed(&mut self, now: Instant, code: &'static str, error: &anyhow::Error) {
        let before = self.retry.take();
        let wait = before
            .as_ref()
            .map_or(RETRY_FIRST, |retry| (retry.wait * 2).min(RETRY_MAX));
        let message = format!("{error:#}");
        self.shared
            .telemetry
            .pipeline
            .write_errors
            .with_label_values(&[code])
            .inc();
        let records = self.batch.len() + self.intake.len();
        let said = before
            .filter(|retry| retry.code == code && now < retry.said + SAY_AGAIN)
            .map(|retry| retry.said);
        if said.is_none() {
            tracing::error!(
                records,
                code,
                "cannot write to the ledger, {records} records wait in memory and are tried again: {message}"
            );
        }
        self.shared.writer_health.update(|state| {
            *state.errors.entry(code).or_default() += 1;
            let since = state.trouble.as_ref().map(|trouble| trouble.since);
            state.trouble = Some(Trouble {
                code,
                message: message.into(),
                since: since.unwrap_or_else(clock::wall),
            });
        });
        self.retry = Some(Retry {
            // From now, not from the begin of the attempt: SQLite has waited for a lock meanwhile.
            at: clock::now() + wait,
            wait,
            code,
            said: said.unwrap_or(now),
        });
    }

    /// One small step of retention, between batches.
    fn prune(&mut self) {
        let now = clock::now();
        let due = now >= self.prune_due && self.retry.is_none() && self.intake.len() == 0;
        let Some(ledger) = self.ledger.as_mut().filter(|_| due) else {
            return;
        };
        let keep = self.shared.settings().retention.keep();
        let step = ledger.prune(&keep, clock::wall());
        let more = match self.runtime.block_on(self.intake.attend(None, step)) {
            Some(Ok(pruned)) => pruned.more,
            Some(Err(error)) => {
                tracing::warn!("cannot prune the ledger, trying again in {PRUNE_EVERY:?}: {error}");
                false
            }
            None => false,
        };
        self.prune_due = if more { now } else { now + PRUNE_EVERY };
    }

    /// Looks whether the proxy before this one has left the ledger, or its server is there.
    fn take_over(&mut self, now: Instant) {
        let shared = Arc::clone(&self.shared);
        let oldest = self.batch.ended_at().first().copied();
        // A server that does not answer takes seconds; the queue is emptied meanwhile.
        let attempt = self.runtime.block_on(self.intake.attend(oldest, open(&shared)));
        let Some(attempt) = attempt else { return };
        match attempt {
            Ok(ledger) => {
                tracing::info!("the ledger is open, and takes the records that waited for it");
                self.ledger = Some(ledger);
                self.retry = None;
            }
            Err(error) if error.is_taken() && self.shared.settings().successor => {}
            Err(error) => self.failed(now, "open", &anyhow::Error::from(error)),
        }
    }

    fn close(mut self) {
        let lost = self.batch.len() + self.intake.len();
        if lost > 0 {
            let books = &self.shared.telemetry.pipeline.books;
            books.give_up(Dropped::Shutdown, lost);
            tracing::error!(
                lost,
                "{lost} records are lost: the ledger did not take them before the end"
            );
        }
        let balance = self.shared.telemetry.pipeline.books.balance();
        if balance.queued > 0 {
            let queued = balance.queued;
            tracing::error!(
                queued,
                "the books do not balance: {queued} records are unaccounted for"
            );
        }
        let Some(ledger) = self.ledger.take() else {
            return;
        };
        let closing = async { tokio::time::timeout(CLOSE_TIME_MAX, ledger.close()).await };
        match self.runtime.block_on(closing) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("closing the ledger: {:#}", anyhow::Error::from(error)),
            Err(_) => tracing::error!("closing the ledger takes too long: its log stays beside it"),
        }
    }

    fn note(&self) {
        self.intake.note(self.batch.ended_at().first().copied());
    }
}

/// Opens the ledger under the name of this proxy.
async fn open(shared: &Shared) -> Result<Writer, OpenError> {
    let settings = shared.settings();
    Writer::open_as(&settings.ledger, &settings.instance).await
}
