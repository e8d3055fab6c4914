//! Metrics of the metrics path itself: from the end of a request to the ledger.

use std::time::{Duration, Instant};

use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge};
use record::UnixMillis;

use super::books::Books;
use super::buckets;
use super::maker::Maker;
use crate::recorder::WriterState;

/// How records fare.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) books: Books,
    pub(crate) write_seconds: Histogram,
    pub(crate) write_errors: IntCounterVec,
    pub(crate) summed: IntCounter,
    pub(crate) uncounted: IntCounter,
    pub(crate) age_seconds: Histogram,
    pub(crate) backups: IntCounterVec,
    backup_seconds: Gauge,
    backup_took_seconds: Gauge,
    backup_bytes: IntGauge,
    lag_seconds: Gauge,
    backlog_bytes: IntGauge,
    backlog_bytes_max: IntGauge,
    file_bytes: IntGauge,
    wal_bytes: IntGauge,
    last_write_seconds: Gauge,
    degraded: IntGauge,
}

// === impl Pipeline ===

impl Pipeline {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            books: make.books(),
            write_seconds: make.histogram(
                "db_write_seconds",
                "Time of one committed batch.",
                &buckets::WRITE,
            ),
            write_errors: make.counters(
                "db_write_errors_total",
                "Batches that failed and are tried again, by cause.",
                &["code"],
            ),
            summed: make.counter(
                "records_summed_total",
                "Dropped records that the sums of the ledger count all the same.",
            ),
            uncounted: make.counter(
                "records_uncounted_total",
                "Dropped records that no sum of the ledger counts: there was no room for the sums either.",
            ),
            age_seconds: make.histogram(
                "record_age_seconds",
                "Age of a record, from the end of its request to its commit.",
                &buckets::AGE,
            ),
            backups: make.counters(
                "ledger_backups_total",
                "Scheduled backups, by how they ended.",
                &["result"],
            ),
            backup_seconds: make.number(
                "ledger_last_backup_timestamp_seconds",
                "When the last scheduled backup of this process began; 0 before the first.",
            ),
            backup_took_seconds: make.number(
                "ledger_last_backup_duration_seconds",
                "Time that the last scheduled backup took, its check included.",
            ),
            backup_bytes: make.gauge("ledger_last_backup_bytes", "Size of the last scheduled backup."),
            lag_seconds: make.number(
                "record_lag_seconds",
                "Age of the oldest record that is not yet in the ledger.",
            ),
            backlog_bytes: make.gauge(
                "record_backlog_bytes",
                "Estimated memory of the records that wait for the ledger.",
            ),
            backlog_bytes_max: make.gauge(
                "record_backlog_limit_bytes",
                "Memory beyond which waiting records are dropped.",
            ),
            file_bytes: make.gauge("ledger_file_bytes", "Size of the ledger's file."),
            wal_bytes: make.gauge("ledger_wal_bytes", "Size of the ledger's write-ahead log."),
            last_write_seconds: make.number(
                "ledger_last_write_timestamp_seconds",
                "When a batch was last committed; 0 before the first.",
            ),
            degraded: make.gauge(
                "ledger_degraded",
                "1 while records cannot be written, or not in time.",
            ),
        }
    }

    /// Sets what is known only at the moment of a scrape.
    pub(crate) fn refresh(&self, writer: &WriterState, now: Instant) {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.lag_seconds
            .set(writer.lag(now).unwrap_or(Duration::ZERO).as_secs_f64());
        self.backlog_bytes.set(whole(writer.backlog_bytes));
        self.backlog_bytes_max.set(whole(writer.backlog_bytes_max));
        self.file_bytes.set(whole(writer.file_bytes.unwrap_or(0)));
        self.wal_bytes.set(whole(writer.wal_bytes.unwrap_or(0)));
        self.last_write_seconds.set(
            writer
                .last_write_at
                .map_or(0.0, |at| UnixMillis(0).age_at(at).as_secs_f64()),
        );
        if let Some(backup) = writer.backup {
            self.backup_seconds
                .set(UnixMillis(0).age_at(backup.at).as_secs_f64());
            self.backup_took_seconds.set(backup.took.as_secs_f64());
            self.backup_bytes.set(whole(backup.bytes));
        }
        self.degraded.set(i64::from(writer.is_degraded(now)));
    }
}
