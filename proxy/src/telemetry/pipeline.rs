//! Metrics of the metrics path itself: from the end of a request to the ledger.
//!
//! `records_finished_total == records_written_total + record_queue_length + records_dropped_total` at all
//! times.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::buckets;
use super::maker::Maker;

/// How records fare.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) finished: IntCounter,
    pub(crate) written: IntCounter,
    pub(crate) dropped: IntCounterVec,
    pub(crate) queue_length: IntGauge,
    pub(crate) write_seconds: Histogram,
    pub(crate) write_errors: IntCounter,
}

// === impl Pipeline ===

impl Pipeline {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        Self {
            finished: make.counter(
                "records_finished_total",
                "Requests that ended: equals written plus queued plus dropped.",
            ),
            written: make.counter(
                "records_written_total",
                "Records that are committed to the ledger.",
            ),
            dropped: make.counters(
                "records_dropped_total",
                "Records that were given up, by reason.",
                &["reason"],
            ),
            queue_length: make.gauge(
                "record_queue_length",
                "Requests that ended and are not yet in the ledger.",
            ),
            write_seconds: make.histogram(
                "db_write_seconds",
                "Time of one committed batch.",
                &buckets::WRITE,
            ),
            write_errors: make.counter(
                "db_write_errors_total",
                "Batches that failed and are tried again.",
            ),
        }
    }
}
