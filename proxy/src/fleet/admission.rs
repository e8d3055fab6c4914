//! Who gets a request: the replicas of a pool that take requests, in the order of their turns.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use record::Name;

use super::places::WithReplica;
use super::pool::Pool;
use crate::replicas::{Replica, Standing};
use crate::room::{Full, Place};

// === impl Pool ===

impl Pool {
    /// A place at a replica that takes requests, has room, and was not `tried` for this request. When only
    /// tried ones take requests, one of those. `None`: nobody has a place now.
    pub(crate) fn admit(&self, tried: &[Name], now: Instant) -> Option<WithReplica> {
        let doubtful = self.is_in_doubt();
        let others = self
            .replicas
            .iter()
            .any(|replica| takes_requests(replica, doubtful) && !tried.contains(&replica.name));
        let suits = |replica: &Replica| !others || !tried.contains(&replica.name);
        let start = self.kept.next.fetch_add(1, Relaxed);
        // A replica that asked for a pause gets nothing while another one has a place.
        self.turn(
            start,
            |replica| suits(replica) && !replica.is_paused(now),
            doubtful,
        )
        .or_else(|| self.turn(start, suits, doubtful))
    }

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
    fn is_in_doubt(&self) -> bool {
        let wanted = || self.replicas.iter().filter(|replica| !replica.is_drained());
        let out = wanted()
            .filter(|replica| replica.standing() > Standing::Trial)
            .count();
        let percent = usize::try_from(self.settings.health.panic_percent).unwrap_or(100);
        out * 100 > wanted().count() * percent
    }

    /// The first place from `start` on at a replica that `suits`.
    fn turn(&self, start: usize, suits: impl Fn(&Replica) -> bool, doubtful: bool) -> Option<WithReplica> {
        let len = self.replicas.len();
        (0..len)
            .filter_map(|step| self.replicas.get(start.wrapping_add(step) % len.max(1)))
            .filter(|replica| suits(replica))
            .find_map(|replica| self.kept.places.take(replica, doubtful))
    }
}

fn takes_requests(replica: &Replica, doubtful: bool) -> bool {
    let standing = replica.standing();
    standing <= Standing::Trial || (doubtful && standing == Standing::Doubtful)
}

#[cfg(test)]
mod tests;
