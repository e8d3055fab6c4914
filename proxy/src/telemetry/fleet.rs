//! Gauges and counters of replicas and of the room in front of them.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};
use record::{Name, ReplicaPulse, ReplicaState};

use super::maker::Maker;
use crate::replicas::Load;

/// How the replicas are, and who waits for them.
#[derive(Debug)]
pub(crate) struct FleetGauges {
    running: IntGaugeVec,
    waiting: IntGaugeVec,
    replica_up: IntGaugeVec,
    replica_weight: IntGaugeVec,
    replica_state: IntGaugeVec,
    reported: IntGaugeVec,
    /// The replicas that are shown, each with its pool.
    shown: Mutex<Vec<(Name, Name)>>,
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
                &["pool", "replica"],
            ),
            waiting: make.gauges(
                "num_requests_waiting",
                "Requests that wait for a place at a replica.",
                &["pool"],
            ),
            replica_up: make.gauges(
                "replica_up",
                "Whether the replica takes requests: 1 or 0.",
                &["pool", "replica"],
            ),
            replica_weight: make.gauges(
                "replica_weight",
                "The replica's share beside the shares of its pool's other replicas.",
                &["pool", "replica"],
            ),
            replica_state: make.gauges(
                "replica_state",
                "1 for the state that the replica is in, 0 for the others.",
                &["pool", "replica", "state"],
            ),
            reported: make.gauges(
                "replica_reported_requests",
                "Requests that the replica itself says it runs or lets wait, from all its clients.",
                &["pool", "replica", "phase"],
            ),
            shown: Mutex::default(),
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

    /// Shows every replica as it is now, and no others.
    pub(crate) fn show(&self, replicas: &[ReplicaPulse]) {
        let mut shown = self.shown.lock();
        shown.retain(|(pool, replica)| {
            let stays = replicas
                .iter()
                .any(|one| one.pool == *pool && one.replica == *replica);
            if !stays {
                self.forget(pool, replica);
            }
            stays
        });
        for one in replicas {
            let (pool, replica): (&str, &str) = (&one.pool, &one.replica);
            let running = i64::try_from(one.in_flight).unwrap_or(i64::MAX);
            self.running.with_label_values(&[pool, replica]).set(running);
            let up = matches!(one.state, ReplicaState::Up | ReplicaState::Unknown);
            self.replica_up
                .with_label_values(&[pool, replica])
                .set(i64::from(up));
            for state in ReplicaState::ALL {
                let labels = [pool, replica, state.as_str()];
                let own = i64::from(*state == one.state);
                self.replica_state.with_label_values(&labels).set(own);
            }
            let known = (Arc::clone(&one.pool), Arc::clone(&one.replica));
            if !shown.contains(&known) {
                shown.push(known);
            }
        }
    }

    /// A replica that has left is no longer shown: it is neither up nor down.
    fn forget(&self, pool: &str, replica: &str) {
        // What was never shown cannot be taken away, which is well.
        let _ = self.running.remove_label_values(&[pool, replica]);
        let _ = self.replica_up.remove_label_values(&[pool, replica]);
        let _ = self.replica_weight.remove_label_values(&[pool, replica]);
        for state in ReplicaState::ALL {
            let labels = [pool, replica, state.as_str()];
            let _ = self.replica_state.remove_label_values(&labels);
        }
        self.show_load(pool, replica, None);
    }

    /// Shows what a replica says about itself; `None`: nothing, or not lately.
    pub(crate) fn show_load(&self, pool: &str, replica: &str, load: Option<Load>) {
        let load = load.unwrap_or_default();
        for (phase, requests) in [("running", load.running), ("waiting", load.waiting)] {
            let labels = [pool, replica, phase];
            match requests {
                Some(requests) => self.reported.with_label_values(&labels).set(i64::from(requests)),
                // Unknown is no figure. There may have been none before.
                None => drop(self.reported.remove_label_values(&labels)),
            }
        }
    }

    /// Shows a replica's share.
    pub(crate) fn show_weight(&self, pool: &str, replica: &str, weight: u32) {
        self.replica_weight
            .with_label_values(&[pool, replica])
            .set(i64::from(weight));
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
