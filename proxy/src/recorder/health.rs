//! How the writer is: kept by its thread, read by `/healthz`, `/metrics` and the pulse. Not on the data path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use record::units::duration_ms_i64;
use record::{LedgerPulse, LedgerTrouble, UnixMillis};

/// A record older than this that is not yet written means that something is wrong. Why this number: ten times
/// the promised age of a record at commit.
const LAG_MAX: Duration = Duration::from_secs(5);

/// What the writer's thread says about itself.
#[derive(Debug, Default)]
pub(crate) struct WriterHealth(Mutex<WriterState>);

/// One moment of the writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriterState {
    /// The last failure, as long as nothing was written since.
    pub(crate) trouble: Option<Trouble>,
    /// Transactions that failed, by the word for the cause.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// When a transaction was last committed.
    pub(crate) last_write_at: Option<UnixMillis>,
    /// How long that took.
    pub(crate) last_write: Option<Duration>,
    /// When the request of the oldest record that is not yet written ended.
    pub(crate) oldest: Option<Instant>,
    /// Estimated bytes of the records that wait, and the bound.
    pub(crate) backlog_bytes: u64,
    pub(crate) backlog_bytes_max: u64,
    /// Bytes of the ledger's file; `None` while this process has no ledger.
    pub(crate) file_bytes: Option<u64>,
    /// Bytes of its write-ahead log.
    pub(crate) wal_bytes: Option<u64>,
    /// The last backup of this process.
    pub(crate) backup: Option<LastBackup>,
    /// Why the last attempt at a backup failed; `None` after a good one.
    pub(crate) backup_error: Option<Arc<str>>,
}

/// A backup that was made and checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LastBackup {
    /// When it began: what was written until then is in it.
    pub(crate) at: UnixMillis,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// Why batches fail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// One word: the label of the metric.
    pub(crate) code: &'static str,
    /// The chain of causes.
    pub(crate) message: Arc<str>,
    /// Since when nothing could be written.
    pub(crate) since: UnixMillis,
}

// === impl WriterHealth ===

impl WriterHealth {
    /// Changes it.
    pub(super) fn update(&self, change: impl FnOnce(&mut WriterState)) {
        change(&mut self.0.lock());
    }

    /// A scheduled backup is whole.
    pub(super) fn backed_up(&self, at: UnixMillis, bytes: u64, took: Duration) {
        self.update(|state| {
            state.backup = Some(LastBackup { at, bytes, took });
            state.backup_error = None;
        });
    }

    /// A scheduled backup failed.
    pub(super) fn not_backed_up(&self, message: String) {
        self.update(|state| state.backup_error = Some(message.into()));
    }

    /// As it is.
    pub(crate) fn state(&self) -> WriterState {
        self.0.lock().clone()
    }
}

// === impl WriterState ===

impl WriterState {
    /// Age of the oldest record that is not yet written; `None` when nothing waits.
    pub(crate) fn lag(&self, now: Instant) -> Option<Duration> {
        self.oldest.map(|oldest| now.saturating_duration_since(oldest))
    }

    /// Whether records are at risk: they cannot be written, or not in time.
    pub(crate) fn is_degraded(&self, now: Instant) -> bool {
        self.trouble.is_some() || self.lag(now).is_some_and(|lag| lag > LAG_MAX)
    }

    /// Puts it into a pulse.
    pub(crate) fn describe(&self, now: Instant, pulse: &mut LedgerPulse) {
        let whole_ms = |span: Duration| u64::try_from(duration_ms_i64(span)).unwrap_or(0);
        pulse.degraded = self.is_degraded(now);
        let errors = self.errors.iter();
        pulse.errors = errors.map(|(code, count)| ((*code).to_owned(), *count)).collect();
        pulse.lag_ms = self.lag(now).map(whole_ms);
        pulse.last_write_at = self.last_write_at;
        pulse.last_write_ms = self.last_write.map(whole_ms);
        pulse.backlog_bytes = self.backlog_bytes;
        pulse.backlog_bytes_max = self.backlog_bytes_max;
        pulse.file_bytes = self.file_bytes;
        pulse.wal_bytes = self.wal_bytes;
        pulse.last_backup_at = self.backup.map(|backup| backup.at);
        pulse.backup_error = self.backup_error.as_deref().map(str::to_owned);
        pulse.trouble = self.trouble.as_ref().map(|trouble| LedgerTrouble {
            code: trouble.code.to_owned(),
            message: trouble.message.to_string(),
            since: trouble.since,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_failure_or_a_record_that_waits_too_long_is_degraded() {
        let now = clock::now();
        let mut state = WriterState::default();
        assert!(!state.is_degraded(now), "nothing waits");
        state.oldest = Some(now);
        assert!(!state.is_degraded(now + LAG_MAX), "just in time");
        assert!(state.is_degraded(now + LAG_MAX + Duration::from_millis(1)));
        state.oldest = None;
        state.trouble = Some(Trouble {
            code: "full",
            message: "disk full".into(),
            since: UnixMillis(7),
        });
        assert!(state.is_degraded(now));
        let mut pulse = LedgerPulse::default();
        state.describe(now, &mut pulse);
        assert_eq!(pulse.trouble.unwrap().code, "full");
        assert_eq!((pulse.degraded, pulse.lag_ms), (true, None));
    }
}
