//! How looking for replicas goes.

use prometheus::{IntCounterVec, IntGaugeVec};

use super::maker::Maker;
use crate::settings::Discover;

/// Looks at the sources of replicas, and what they have.
#[derive(Debug)]
pub(crate) struct Discoveries {
    looks: IntCounterVec,
    found: IntGaugeVec,
}

// === impl Discoveries ===

impl Discoveries {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            looks: make.counters(
                "discovery_looks_total",
                "Looks at a source of replicas (DNS, file) by how they went.",
                &["pool", "source", "result"],
            ),
            found: make.gauges(
                "discovered_replicas",
                "Replicas that a source of them (DNS, file) has.",
                &["pool", "source"],
            ),
        }
    }

    /// A source was looked at.
    pub(crate) fn looked(&self, pool: &str, source: &Discover, went_well: bool) {
        let result = if went_well { "success" } else { "failure" };
        self.looks.with_label_values(&[pool, source.kind(), result]).inc();
    }

    /// A source has so many replicas.
    pub(crate) fn found(&self, pool: &str, source: &Discover, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.found.with_label_values(&[pool, source.kind()]).set(count);
    }

    /// A source is no longer configured.
    pub(crate) fn forget(&self, pool: &str, source: &Discover) {
        // There is none where nothing was found.
        let _unknown = self.found.remove_label_values(&[pool, source.kind()]);
    }
}
