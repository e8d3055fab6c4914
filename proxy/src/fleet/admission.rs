//! Who may get a request: the replicas of a pool that take requests, and those who wait for one. Which of
//! them it is, the pool's policy says (`choice.rs`).

use std::sync::Arc;
use std::time::Instant;

use record::Name;

use super::places::WithReplica;
use super::pool::Pool;
use crate::replicas::{Replica, Standing};
use crate::room::{Full, Place};

// === impl Pool ===

impl Pool {
    /// Whether another replica than the `tried` ones takes requests. Costs no replica its turn.
    pub(crate) fn has_other(&self, tried: &[Name]) -> bool {
        let doubtful = self.is_in_doubt();
        self.replicas
            .iter()
            .any(|replica| takes_requests(replica, doubtful) && !tried.contains(&replica.name))
    }

    /// Whether a place will become free: a replica is full, or was there not long ago.
    pub(crate) fn is_worth_waiting_for(&self, now: Instant) -> bool {
        let doubtful = self.is_in_doubt();
        self.replicas
            .iter()
            .any(|replica| takes_requests(replica, doubtful) || replica.is_expected(now))
    }

    /// Waits for a place. A place that became free just before is not seen: look once more after this
    /// returns.
    pub(crate) fn join(&self, key: u64) -> Result<Place<WithReplica>, Full> {
        if self.model.is_none() {
            return self.kept.places.join(key, |_| true);
        }
        let own: Vec<u64> = self.replicas.iter().map(|replica| replica.id).collect();
        self.kept
            .places
            .join(key, move |replica| own.contains(&replica.id))
    }

    /// Gives free places at a replica to requests that wait for one.
    pub(crate) fn fill(&self, replica: &Arc<Replica>) {
        if self.waiting() > 0 {
            self.kept.places.fill(replica, self.is_in_doubt());
        }
    }

    /// Requests that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.kept.places.waiting()
    }

    /// In how many seconds somebody who is sent away should come back; `spread`, between 0 and 999, parts
    /// those who are sent away together.
    pub(crate) fn wait_s(&self, spread: u64, now: Instant) -> u64 {
        self.kept.places.wait_s(spread, now)
    }

    /// Requests that are with its replicas.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> u64 {
        self.kept.places.in_flight()
    }

    /// A request came that may be tried again.
    pub(crate) fn earn_retry(&self) {
        self.kept.retries.earn();
    }

    /// Takes one retry from the budget; `false` when it is spent.
    pub(crate) fn spend_retry(&self, now: Instant) -> bool {
        self.kept.retries.spend(now)
    }

    /// Whether so many replicas are out that the evidence against them is in doubt itself. Those that are
    /// reachable then take requests: some answers are better than none.
    pub(super) fn is_in_doubt(&self) -> bool {
        let wanted = || self.replicas.iter().filter(|replica| !replica.is_drained());
        let out = wanted()
            .filter(|replica| replica.standing() > Standing::Trial)
            .count();
        let percent = usize::try_from(self.settings.health.panic_percent).unwrap_or(100);
        out * 100 > wanted().count() * percent
    }
}

pub(super) fn takes_requests(replica: &Replica, doubtful: bool) -> bool {
    let standing = replica.standing();
    standing <= Standing::Trial || (doubtful && standing == Standing::Doubtful)
}

#[cfg(test)]
mod tests;
