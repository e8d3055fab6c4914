//! The writer thread: the only owner of the ledger's write connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use crossbeam_channel::{Receiver, TryRecvError};
use ledger::{Keep, OpenError, Writer};
use record::MetricRecord;
use tokio::runtime::{Builder, Runtime};

use super::HIGH_WATER;
use crate::clock;
use crate::shared::Shared;

/// How often the writer looks for records. Why this number: a record is then a quarter of a second old at
/// most when it is committed, and an idle writer costs nothing that can be measured.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a pulse is written.
const PULSE_EVERY: Duration = Duration::from_secs(1);

/// How often the writer looks for what is past its time; while a step says that there is more, after each
/// batch.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// First and longest wait before a failed batch is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How long the last batches may take after the last request. Why this number: below the margin that
/// supervisors and Kubernetes leave after a drain; what cannot be written by then is counted as dropped.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The running thread.
#[derive(Debug)]
pub(crate) struct WriterThread(JoinHandle<()>);

/// How the writer is, for `/healthz`.
#[derive(Debug, Default)]
pub(crate) struct WriterHealth {
    /// The last failure, when the last batch failed.
    pub(crate) error: ArcSwapOption<String>,
}

struct Loop {
    runtime: Runtime,
    /// `None` while the proxy before this one still writes its last records: one ledger has one writer.
    ledger: Option<Writer>,
    shared: Arc<Shared>,
    records: Receiver<Box<MetricRecord>>,
    batch: Vec<MetricRecord>,
    pulse_due: Instant,
    prune_due: Instant,
    retry: Option<Retry>,
}

/// A batch failed and waits.
struct Retry {
    at: Instant,
    wait: Duration,
}

// === impl WriterThread ===

impl WriterThread {
    /// Opens the ledger and starts the thread.
    ///
    /// # Errors
    /// When the ledger cannot be opened.
    pub(crate) fn start(shared: &Arc<Shared>, records: Receiver<Box<MetricRecord>>) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the writer's runtime")?;
        let ledger = match runtime.block_on(Writer::open(&shared.settings.ledger)) {
            Ok(ledger) => Some(ledger),
            Err(OpenError::Locked { .. }) if shared.settings.successor => {
                tracing::info!("records wait until the proxy before this one has written its last");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let writer = Loop {
            runtime,
            ledger,
            shared: Arc::clone(shared),
            records,
            batch: Vec::with_capacity(HIGH_WATER),
            pulse_due: clock::now(),
            prune_due: clock::now() + PRUNE_EVERY,
            retry: None,
        };
        let handle = thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run())
            .context("starting the writer thread")?;
        // Set once, before any request: the only other caller would be a second writer.
        let _first = shared.sink.writer.set(handle.thread().clone());
        Ok(Self(handle))
    }

    /// Writes everything that is queued and ends. Call after the last request.
    pub(crate) fn finish(self, shared: &Shared) {
        shared.closing.store(true, Relaxed);
        self.0.thread().unpark();
        if self.0.join().is_err() {
            tracing::error!("the writer thread panicked; its last batch is lost");
        }
    }
}

// === impl Loop ===

impl Loop {
    fn run(mut self) {
        let mut give_up: Option<Instant> = None;
        loop {
            // Read before draining: whatever was pushed before the flag was set is then seen by this round's
            // drain.
            let closing = self.shared.closing.load(Relaxed);
            let more = self.drain();
            self.commit();
            if !closing {
                self.prune();
            }
            if closing {
                let now = clock::now();
                let give_up = *give_up.get_or_insert(now + LAST_WORDS);
                if (self.batch.is_empty() && !more) || now >= give_up {
                    break;
                }
            }
            if !more {
                thread::park_timeout(LOOK_EVERY);
            }
        }
        self.close();
    }

    /// Takes records up to one batch; `true` when there may be more.
    fn drain(&mut self) -> bool {
        let before = self.batch.len();
        let mut more = true;
        while self.batch.len() < HIGH_WATER {
            match self.records.try_recv() {
                Ok(record) => {
                    self.shared.telemetry.observe(&record);
                    self.batch.push(*record);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    more = false;
                    break;
                }
            }
        }
        self.note_in_hand();
        // A batch that is full and cannot be committed must not spin.
        more && self.batch.len() > before
    }

    /// Writes the batch and, once a second, the pulse. A failed batch stays and is tried again later.
    fn commit(&mut self) {
        let now = clock::now();
        if self.retry.as_ref().is_some_and(|retry| now < retry.at) {
            return;
        }
        let pulse = (now >= self.pulse_due).then(|| self.shared.pulse());
        if self.batch.is_empty() && pulse.is_none() {
            return;
        }
        let Some(ledger) = &mut self.ledger else {
            self.take_over(now);
            return;
        };
        match self.runtime.block_on(ledger.append(&self.batch, pulse.as_ref())) {
            Ok(()) => {
                let telemetry = &self.shared.telemetry;
                telemetry
                    .pipeline
                    .write_seconds
                    .observe((clock::now() - now).as_secs_f64());
                telemetry
                    .pipeline
                    .written
                    .inc_by(u64::try_from(self.batch.len()).unwrap_or(0));
                self.batch.clear();
                self.note_in_hand();
                if pulse.is_some() {
                    self.pulse_due = now + PULSE_EVERY;
                }
                if self.retry.take().is_some() {
                    self.shared.writer_health.error.store(None);
                    tracing::info!("the ledger takes records again");
                }
            }
            Err(error) => {
                let wait = self
                    .retry
                    .as_ref()
                    .map_or(RETRY_FIRST, |retry| (retry.wait * 2).min(RETRY_MAX));
                let error = format!("{:#}", anyhow::Error::from(error));
                self.shared.telemetry.pipeline.write_errors.inc();
                let records = self.batch.len();
                tracing::error!(
                    records,
                    "cannot write {records} records, trying again in {wait:?}: {error}"
                );
                self.shared.writer_health.error.store(Some(Arc::new(error)));
                self.retry = Some(Retry { at: now + wait, wait });
            }
        }
    }

    /// One small step of retention, between batches.
    fn prune(&mut self) {
        let now = clock::now();
        let Some(ledger) = self
            .ledger
            .as_mut()
            .filter(|_| now >= self.prune_due && self.retry.is_none())
        else {
            return;
        };
        let retention = self.shared.settings.retention;
        let keep = Keep {
            requests: retention.requests,
            max_bytes: retention.max_size,
            ..Keep::default()
        };
        let more = match self.runtime.block_on(ledger.prune(&keep, clock::wall())) {
            Ok(pruned) => pruned.more,
            Err(error) => {
                tracing::warn!("cannot prune the ledger, trying again in {PRUNE_EVERY:?}: {error}");
                false
            }
        };
        self.prune_due = if more { now } else { now + PRUNE_EVERY };
    }

    /// Looks whether the proxy before this one has left the ledger.
    fn take_over(&mut self, now: Instant) {
        match self.runtime.block_on(Writer::open(&self.shared.settings.ledger)) {
            Ok(ledger) => {
                tracing::info!("the ledger is taken over from the proxy before this one");
                self.ledger = Some(ledger);
            }
            Err(OpenError::Locked { .. }) => {}
            Err(error) => {
                tracing::error!("cannot take over the ledger, trying again in {RETRY_MAX:?}: {error}");
                self.retry = Some(Retry {
                    at: now + RETRY_MAX,
                    wait: RETRY_MAX,
                });
            }
        }
    }

    fn close(self) {
        let lost = u64::try_from(self.batch.len() + self.records.len()).unwrap_or(u64::MAX);
        if lost > 0 {
            self.shared
                .telemetry
                .pipeline
                .dropped
                .with_label_values(&["shutdown"])
                .inc_by(lost);
            tracing::error!(
                lost,
                "{lost} records are lost: the ledger did not take them before the end"
            );
        }
        let Some(ledger) = self.ledger else { return };
        if let Err(error) = self.runtime.block_on(ledger.close()) {
            tracing::error!("closing the ledger: {:#}", anyhow::Error::from(error));
        }
    }

    fn note_in_hand(&self) {
        self.shared
            .sink
            .in_hand
            .store(u64::try_from(self.batch.len()).unwrap_or(u64::MAX), Relaxed);
    }
}
