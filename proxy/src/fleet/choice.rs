//! Which replica gets a request: the pool's policy decides among those that may.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use record::Name;

use super::admission::takes_requests;
use super::places::WithReplica;
use super::pool::Pool;
use crate::balance::{Balancer, Candidate, Scraped};
use crate::replicas::Replica;
use crate::routed::Routed;

/// The replicas that may get a request, as their policy sees them.
#[derive(Debug, Default)]
struct Candidates {
    seen: Vec<Candidate>,
    /// Which of the pool's replicas each of them is.
    at: Vec<usize>,
}

thread_local! {
    /// Used again for each choice, so that one allocates nothing.
    static CANDIDATES: RefCell<Candidates> = RefCell::default();
}

// === impl Pool ===

impl Pool {
    /// The pool's balancer.
    pub(crate) fn balancer(&self) -> &Arc<Balancer> {
        &self.kept.balancer
    }

    /// A place at a replica that takes requests, has room, and was not `tried` for this request. When only
    /// tried ones take requests, one of those. `None`: nobody has a place now.
    pub(crate) fn admit(&self, routed: &mut Routed, tried: &[Name], now: Instant) -> Option<WithReplica> {
        let doubtful = self.is_in_doubt();
        let others = self
            .replicas
            .iter()
            .any(|replica| takes_requests(replica, doubtful) && !tried.contains(&replica.name));
        let suits = |replica: &Replica| !others || !tried.contains(&replica.name);
        // A replica that asked for a pause gets nothing while another one has a place.
        let is_awake = |replica: &Replica| suits(replica) && !replica.is_paused(now);
        self.choose(routed, now, doubtful, is_awake)
            .or_else(|| self.choose(routed, now, doubtful, suits))
    }

    /// The request got a place at this replica in the queue, where there is no choice.
    pub(crate) fn called(&self, routed: &mut Routed, replica: &Arc<Replica>, now: Instant) {
        let candidate = Candidate {
            in_flight_max: None,
            ..self.candidate(replica, now)
        };
        if let Some(choice) = self.balancer().choose(routed.request(), &[candidate]) {
            let seat = replica.seat(self.balancer());
            routed.dispatch(self.balancer(), choice, seat.slot(), seat.load());
        }
    }

    fn choose(
        &self,
        routed: &mut Routed,
        now: Instant,
        doubtful: bool,
        suits: impl Fn(&Replica) -> bool,
    ) -> Option<WithReplica> {
        CANDIDATES.with_borrow_mut(|candidates| {
            candidates.seen.clear();
            candidates.at.clear();
            for (at, replica) in self.replicas.iter().enumerate() {
                if takes_requests(replica, doubtful) && suits(replica) {
                    candidates.seen.push(self.candidate(replica, now));
                    candidates.at.push(at);
                }
            }
            loop {
                let choice = self.balancer().choose(routed.request(), &candidates.seen)?;
                let replica = candidates
                    .at
                    .get(choice.at)
                    .and_then(|at| self.replicas.get(*at))?;
                if let Some(with) = self.kept.places.take(replica, doubtful) {
                    let seat = replica.seat(self.balancer());
                    routed.dispatch(self.balancer(), choice, seat.slot(), seat.load());
                    return Some(with);
                }
                // Another request was faster; the next best then.
                candidates.seen.remove(choice.at);
                candidates.at.remove(choice.at);
            }
        })
    }

    fn candidate(&self, replica: &Replica, now: Instant) -> Candidate {
        let seat = replica.seat(self.balancer());
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Candidate {
            weight: replica.weight(),
            in_flight: count(replica.in_flight()),
            in_flight_max: replica.in_flight_max().map(count),
            awaiting: seat.load().awaiting(),
            queued_prefill: seat.load().queued_prefill(),
            scraped: replica.load.fresh(now).map(|said| Scraped {
                running: said.running.unwrap_or(0),
                waiting: said.waiting.unwrap_or(0),
                kv_used_permille: said.cache_permille.and_then(|used| u16::try_from(used).ok()),
            }),
            ..Candidate::idle(seat.slot(), replica.home)
        }
    }
}
