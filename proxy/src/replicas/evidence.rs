//! What probes and requests say about a replica, on its way into the state machine ([`super::health`]).

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use record::ReplicaState;

use super::health::Health;
use super::{Event, Known, Replica};
use crate::clock;

// === impl Replica ===

impl Replica {
    /// Something was learnt. A change of state is logged, a line each.
    pub(crate) fn learn(&self, event: Event, now: Instant) {
        if matches!(event, Event::ProbePassed | Event::Answered { .. }) {
            self.seen_ms.store(self.millis(now), Relaxed);
        }
        let mut known = self.health.lock();
        let Known { health, settings } = &mut *known;
        let changed = health.on(event, now, settings);
        self.publish(health);
        let state = health.state();
        let ejected = health.ejected_for(now);
        drop(known);
        if !changed {
            return;
        }
        let at = u64::try_from(clock::wall().0).unwrap_or(0);
        self.changed_at.store(at, Relaxed);
        let name = &self.name;
        match (state, ejected) {
            (ReplicaState::Ejected, Some(span)) => {
                let span = record::units::format_duration(span);
                tracing::warn!(replica = %name, "replica {name} is out for {span}: {event}");
            }
            (ReplicaState::Down, _) => tracing::warn!(replica = %name, "replica {name} is out: {event}"),
            _ => tracing::info!(replica = %name, "replica {name} is {state}: {event}"),
        }
    }

    /// No connection could be made for a request: out at once; the prober is asked to look.
    pub(crate) fn unreachable(&self, event: Event, now: Instant) {
        self.errors.fetch_add(1, Relaxed);
        self.suspect.store(true, Relaxed);
        self.learn(event, now);
    }

    /// Whether nothing is heard of it, not even that nobody listens.
    pub(crate) fn is_silent(&self) -> bool {
        self.health.lock().health.is_silent()
    }

    /// A request was answered well. Takes no lock while all is well.
    pub(crate) fn answered(&self, trial: bool, now: Instant) {
        if !trial && self.settled.load(Relaxed) {
            self.seen_ms.store(self.millis(now), Relaxed);
        } else {
            self.learn(Event::Answered { trial }, now);
        }
    }

    /// A request failed on it.
    pub(crate) fn request_failed(&self, trial: bool, now: Instant) {
        self.errors.fetch_add(1, Relaxed);
        self.suspect.store(true, Relaxed);
        self.learn(Event::Failed { trial }, now);
    }

    /// Time has passed: an ejection may be over.
    pub(crate) fn tick(&self, now: Instant) {
        if self.state() == ReplicaState::Ejected {
            self.learn(Event::Tick, now);
        }
    }

    /// Takes the one trial of a half-open replica; `false` when another request was faster.
    pub(crate) fn take_trial(&self) -> bool {
        let mut known = self.health.lock();
        let taken = known.health.take_trial();
        self.publish(&known.health);
        taken
    }

    /// The request that tried it ended without a result.
    pub(crate) fn trial_over(&self) {
        let mut known = self.health.lock();
        known.health.trial_over();
        self.publish(&known.health);
    }

    fn publish(&self, health: &Health) {
        let state = health.state();
        let code = ReplicaState::ALL.iter().position(|other| *other == state);
        let code = code.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        self.state.store(code, Relaxed);
        self.standing.store(health.standing().code(), Relaxed);
        self.settled.store(health.is_settled(), Relaxed);
    }
}
