//! Scheduled backups: a thread of its own that copies the ledger now and then. The writer never waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger::{Backup, BackupFolder, BackupStep, backup};
use record::UnixMillis;
use tokio::runtime::{Builder, Runtime};

use crate::clock;
use crate::settings::BackupSettings;
use crate::shared::Shared;

/// How often the thread looks whether a backup is due, or the process ends.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Longest wait before a failed backup is tried again.
const RETRY_MAX: Duration = Duration::from_secs(600);

/// The running thread; `None` without a schedule.
#[derive(Debug)]
pub(crate) struct BackupThread(Option<JoinHandle<()>>);

struct Schedule {
    runtime: Runtime,
    shared: Arc<Shared>,
    folder: BackupFolder,
    every: Duration,
    due_at: UnixMillis,
}

// === impl BackupThread ===

impl BackupThread {
    /// Starts the thread, if backups are asked for.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(shared: &Arc<Shared>) -> anyhow::Result<Self> {
        let BackupSettings { every, to, keep } = shared.settings().backup.clone();
        let Some(every) = every else {
            return Ok(Self(None));
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime of the backups")?;
        let folder = BackupFolder::new(to, keep);
        let schedule = Schedule {
            runtime,
            shared: Arc::clone(shared),
            due_at: due_after(folder.newest(), every, clock::wall()),
            folder,
            every,
        };
        let handle = thread::Builder::new()
            .name("ledger-backup".to_owned())
            .spawn(move || schedule.run())
            .context("starting the thread of the backups")?;
        Ok(Self(Some(handle)))
    }

    /// Gives up a backup that is being made and ends. Call when the process closes.
    pub(crate) fn finish(self, shared: &Shared) {
        shared.closing.store(true, Relaxed);
        if let Self(Some(handle)) = self {
            handle.thread().unpark();
            if handle.join().is_err() {
                tracing::error!("the thread of the backups panicked");
            }
        }
    }
}

// === impl Schedule ===

impl Schedule {
    fn run(mut self) {
        while !self.shared.closing.load(Relaxed) {
            // A process that waits for its ledger leaves the backup to the one that has it.
            let has_ledger = self.shared.writer_health.state().file_bytes.is_some();
            if has_ledger && clock::wall() >= self.due_at {
                self.once();
            } else {
                thread::park_timeout(LOOK_EVERY);
            }
        }
    }

    fn once(&mut self) {
        let (began_at, began) = (clock::wall(), clock::now());
        let file = self.folder.file(began_at);
        let copying = async {
            let made = backup(&self.shared.settings().ledger, &file, false, |step| {
                if let BackupStep::Copying { bytes, of } = step {
                    tracing::debug!(bytes, of, "backup: {bytes} of {of} bytes");
                }
            })
            .await?;
            // Only now that there is a new one may an old one go.
            self.folder.thin().await.context("removing old backups")?;
            Ok(made)
        };
        let closing = async {
            while !self.shared.closing.load(Relaxed) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                outcome = copying => Some(outcome),
                () = closing => None,
            }
        });
        match outcome {
            Some(Ok(made)) => self.succeeded(&made, began_at, began),
            Some(Err(error)) => self.failed(&error),
            None => tracing::warn!("the process ends: the backup that was being made is given up"),
        }
    }

    fn succeeded(&mut self, made: &Backup, began_at: UnixMillis, began: Instant) {
        let took = clock::now().saturating_duration_since(began);
        let (path, requests) = (made.path.display(), made.requests);
        tracing::info!(
            requests,
            "the ledger is backed up to {path} ({requests} requests) in {took:?}"
        );
        self.shared
            .telemetry
            .pipeline
            .backups
            .with_label_values(&["made"])
            .inc();
        self.shared.writer_health.backed_up(began_at, made.bytes, took);
        self.due_at = due_after(Some(began_at), self.every, clock::wall());
    }

    fn failed(&mut self, error: &anyhow::Error) {
        let message = format!("{error:#}");
        let wait = self.every.min(RETRY_MAX);
        tracing::error!("no backup was made, trying again in {wait:?}: {message}");
        self.shared
            .telemetry
            .pipeline
            .backups
            .with_label_values(&["failed"])
            .inc();
        self.shared.writer_health.not_backed_up(message);
        self.due_at = clock::wall().plus(wait);
    }
}

/// When the next backup is due. A time in the future (the clock was set back) counts as now.
fn due_after(newest: Option<UnixMillis>, every: Duration, now: UnixMillis) -> UnixMillis {
    newest.map_or(now, |newest| newest.min(now).plus(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_does_not_bring_a_backup_forward() {
        let (now, hour) = (UnixMillis(10_000_000), Duration::from_hours(1));
        assert_eq!(due_after(None, hour, now), now, "none yet: at once");
        let newest = now.minus(Duration::from_secs(60));
        assert_eq!(due_after(Some(newest), hour, now), newest.plus(hour));
        let long_ago = now.minus(2 * hour);
        assert!(due_after(Some(long_ago), hour, now) < now, "overdue: at once");
        assert_eq!(
            due_after(Some(now.plus(24 * hour)), hour, now),
            now.plus(hour),
            "a file from the future does not stop the backups"
        );
    }
}
