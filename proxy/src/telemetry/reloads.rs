//! How new configurations fared.

use prometheus::{IntCounterVec, IntGauge};
use record::UnixMillis;

use super::maker::Maker;

/// Counts reloads.
#[derive(Debug)]
pub(crate) struct Reloads {
    total: IntCounterVec,
    succeeded_at: IntGauge,
}

// === impl Reloads ===

impl Reloads {
    pub(super) fn new(make: &Maker) -> Self {
        let total = make.counters(
            "config_reloads_total",
            "Configurations that were read while the proxy ran, by result: `success` or `failure`.",
            &["result"],
        );
        // An alert on the first failure needs a zero before it.
        for result in ["success", "failure"] {
            total.with_label_values(&[result]).reset();
        }
        Self {
            total,
            succeeded_at: make.gauge(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read; the start counts.",
            ),
        }
    }

    /// The proxy started with a configuration.
    pub(crate) fn started(&self, now: UnixMillis) {
        self.succeeded_at.set(now.0 / 1_000);
    }

    /// A new configuration is in force.
    pub(crate) fn succeeded(&self, now: UnixMillis) {
        self.total.with_label_values(&["success"]).inc();
        self.succeeded_at.set(now.0 / 1_000);
    }

    /// A new configuration was refused.
    pub(crate) fn failed(&self) {
        self.total.with_label_values(&["failure"]).inc();
    }
}
