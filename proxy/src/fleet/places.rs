//! The places of a pool: how many requests may be with its replicas, who holds one, and who waits.
//!
//! A place is held by a [`WithReplica`], which gives it back exactly once, however its request ends, and
//! hands it to the next one that waits. The counts are exact at each moment: a place is counted before it is
//! given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use super::turnover::Turnover;
use crate::clock;
use crate::replicas::{Replica, Standing};
use crate::room::{Full, Place, Room};

/// No limit, in the atomics that hold limits.
const UNLIMITED: u64 = u64::MAX;

/// All places of one pool. Outlives its settings.
#[derive(Debug)]
pub(crate) struct Places {
    in_flight: AtomicU64,
    in_flight_max: AtomicU64,
    room: Arc<Room<WithReplica>>,
    turnover: Turnover,
}

/// A request that is with a replica; dropped exactly once, however the request ends.
#[derive(Debug)]
pub(crate) struct WithReplica {
    places: Arc<Places>,
    replica: Arc<Replica>,
    /// This request tries a half-open replica, and nothing has been learnt yet.
    trial: bool,
    /// Whether a place that becomes free is offered to those who wait.
    offers: bool,
}

// === impl Places ===

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            in_flight: AtomicU64::new(0),
            in_flight_max: AtomicU64::new(UNLIMITED),
            room: Arc::new(Room::new(0)),
            turnover: Turnover::new(),
        }
    }

    /// Other limits from now on; what is in flight or waits already stays.
    pub(crate) fn limit(&self, in_flight_max: Option<usize>, waiting_max: usize) {
        let limit = in_flight_max.map_or(UNLIMITED, |limit| u64::try_from(limit).unwrap_or(UNLIMITED));
        self.in_flight_max.store(limit, SeqCst);
        self.room.resize(waiting_max);
    }

    /// Requests that are with the pool's replicas.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(SeqCst)
    }

    /// Requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.room.waiting()
    }

    /// In how many seconds somebody who is sent away should come back; `spread` as in [`Turnover::wait_s`].
    pub(crate) fn wait_s(&self, spread: u64, now: Instant) -> u64 {
        self.turnover.wait_s(self.waiting(), spread, now)
    }

    /// Takes a place at a replica; `None` when the pool or the replica is full, or the replica takes nothing.
    /// `doubtful`: one that is only in doubt counts as well.
    pub(crate) fn take(self: &Arc<Self>, replica: &Arc<Replica>, doubtful: bool) -> Option<WithReplica> {
        let standing = replica.standing();
        if standing > Standing::Trial && !(doubtful && standing == Standing::Doubtful) {
            return None;
        }
        let limit = self.in_flight_max.load(SeqCst);
        count_in(&self.in_flight, limit)?;
        if !replica.count_in() {
            self.in_flight.fetch_sub(1, SeqCst);
            return None;
        }
        let mut with = WithReplica {
            places: Arc::clone(self),
            replica: Arc::clone(replica),
            trial: false,
            offers: false,
        };
        if standing == Standing::Trial {
            with.trial = replica.take_trial();
            if !with.trial && !doubtful {
                return None; // Another request was faster.
            }
        }
        with.offers = true;
        Some(with)
    }

    /// Waits for a place at a replica that `suits`. A place that became free just before is not seen: look
    /// once more after this returns.
    pub(crate) fn join(
        &self,
        key: u64,
        suits: impl Fn(&Replica) -> bool + Send + 'static,
    ) -> Result<Place<WithReplica>, Full> {
        self.room
            .join(key, move |place: &WithReplica| suits(&place.replica))
    }

    /// Gives the free places at a replica to those who wait for one, in their turns.
    pub(crate) fn fill(self: &Arc<Self>, replica: &Arc<Replica>, doubtful: bool) {
        while self.room.waiting() > 0 {
            let joined = self.room.joined();
            let Some(place) = self.take(replica, doubtful) else {
                return;
            };
            if let Err(mut refused) = self.room.offer(place) {
                refused.offers = false;
                drop(refused);
                // Whoever joined meanwhile may have found this place taken.
                if self.room.joined() == joined {
                    return;
                }
            }
        }
    }
}

// === impl WithReplica ===

impl WithReplica {
    pub(crate) const fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// The replica answered; `well` with something below 500.
    pub(crate) fn answered(&mut self, well: bool, now: Instant) {
        let trial = std::mem::take(&mut self.trial);
        if well {
            self.replica.answered(trial, now);
        } else {
            self.replica.request_failed(trial, now);
        }
    }

    /// The replica failed this request.
    pub(crate) fn failed(&mut self, now: Instant) {
        let trial = std::mem::take(&mut self.trial);
        self.replica.request_failed(trial, now);
    }
}

impl Drop for WithReplica {
    fn drop(&mut self) {
        if self.trial {
            self.replica.trial_over();
        }
        self.replica.count_out();
        self.places.in_flight.fetch_sub(1, SeqCst);
        if self.offers {
            self.places.turnover.freed(clock::now());
            if self.places.waiting() > 0 {
                self.places.fill(&self.replica, false);
            }
        }
    }
}

/// Adds one, unless that would exceed the limit.
pub(crate) fn count_in(count: &AtomicU64, limit: u64) -> Option<u64> {
    count
        .fetch_update(SeqCst, SeqCst, |count| (count < limit).then_some(count + 1))
        .ok()
}
