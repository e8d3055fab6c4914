//! Gauges and counters of replicas and of the room in front of them.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};
use record::{ReplicaPulse, ReplicaState};

use super::maker::Maker;
use crate::replicas::Load;

/// How the replicas are, and who waits for them.
#[derive(Debug)]
pub(crate) struct FleetGauges {
    running: IntGaugeVec,
    waiting: IntGaugeVec,
    replica_up: IntGaugeVec,
    replica_state: IntGaugeVec,
    reported: IntGaugeVec,
    in_flight_difference: IntGauge,
    pub(crate) queue_left: IntCounterVec,
}

// === impl FleetGauges ===

impl FleetGauges {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            running: make.gauges(
                "num_requests_running",
                "Requests that are with a replica.",
                &["replica"],
            ),
            waiting: make.gauges(
                "num_requests_waiting",
                "Requests that wait for a place at a replica.",
                &["pool"],
            ),
            replica_up: make.gauges(
                "replica_up",
                "Whether the replica takes requests: 1 or 0.",
                &["replica"],
            ),
            replica_state: make.gauges(
                "replica_state",
                "1 for the state that the replica is in, 0 for the others.",
                &["replica", "state"],
            ),
            reported: make.gauges(
                "replica_reported_requests",
                "Requests that the replica itself says it runs or lets wait, from all its clients.",
                &["replica", "phase"],
            ),
            in_flight_difference: make.gauge(
                "in_flight_difference",
                "Requests counted at replicas minus those that hold a place there, when it lasts: must be 0.",
            ),
            queue_left: make.counters(
                "queue_left_total",
                "Requests that found no place at once, by how their wait ended.",
                &["pool", "how"],
            ),
        }
    }

    /// Shows every replica as it is now.
    pub(crate) fn show(&self, replicas: &[ReplicaPulse]) {
        for replica in replicas {
            let name: &str = &replica.replica;
            let running = i64::try_from(replica.in_flight).unwrap_or(i64::MAX);
            self.running.with_label_values(&[name]).set(running);
            let up = matches!(replica.state, ReplicaState::Up | ReplicaState::Unknown);
            self.replica_up.with_label_values(&[name]).set(i64::from(up));
            for state in ReplicaState::ALL {
                let labels = [name, state.as_str()];
                let own = i64::from(*state == replica.state);
                self.replica_state.with_label_values(&labels).set(own);
            }
        }
    }

    /// Shows what a replica says about itself; `None`: nothing, or not lately.
    pub(crate) fn show_load(&self, replica: &str, load: Option<Load>) {
        let load = load.unwrap_or_default();
        for (phase, requests) in [("running", load.running), ("waiting", load.waiting)] {
            let labels = [replica, phase];
            match requests {
                Some(requests) => self.reported.with_label_values(&labels).set(i64::from(requests)),
                // Unknown is no figure. There may have been none before.
                None => drop(self.reported.remove_label_values(&labels)),
            }
        }
    }

    /// Shows how many requests wait in a pool.
    pub(crate) fn show_waiting(&self, pool: &str, waiting: usize) {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.waiting.with_label_values(&[pool]).set(waiting);
    }

    /// Shows the result of the audit.
    pub(crate) fn show_difference(&self, difference: i64) {
        self.in_flight_difference.set(difference);
    }
}
