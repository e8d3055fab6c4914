//! A replica as a policy sees it: a copy of its figures at the moment of the choice.

use crate::balance::slots::Slot;

/// A replica that may take the request. Made for each choice; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its place in the prefix index; `None` when the index has no place left for it.
    pub slot: Option<Slot>,
    /// A hash of its name, the same in every proxy: decides whose home a session has here.
    pub home: u64,
    /// Its share of the load; 2 takes twice as much as 1. At least 1.
    pub weight: u32,
    /// Requests of this proxy that are with it.
    pub in_flight: u32,
    /// Those of them that have no token yet.
    pub awaiting: u32,
    /// Prompt tokens that it still has to compute for the requests in `awaiting`, as predicted.
    pub queued_prefill: u64,
    /// Most requests that may be with it; `None` is no limit.
    pub in_flight_max: Option<u32>,
    /// What it says about itself, when that is fresh.
    pub scraped: Option<Scraped>,
    /// It answers, but worse than its peers.
    pub degraded: bool,
}

/// A replica's own figures, from its `/metrics`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scraped {
    /// Requests that it runs, from all proxies.
    pub running: u32,
    /// Requests that wait in its queue, from all proxies.
    pub waiting: u32,
    /// Used part of its KV cache in thousandths; `None` when it does not say.
    pub kv_used_permille: Option<u16>,
}

// === impl Candidate ===

impl Candidate {
    /// A replica without load, limit or figures of its own.
    #[must_use]
    pub const fn idle(slot: Option<Slot>, home: u64) -> Self {
        Self {
            slot,
            home,
            weight: 1,
            in_flight: 0,
            awaiting: 0,
            queued_prefill: 0,
            in_flight_max: None,
            scraped: None,
            degraded: false,
        }
    }

    /// Whether one more request may go to it.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_flight_max.is_none_or(|limit| self.in_flight < limit)
    }

    /// Requests with it from all proxies, as far as is known. Its own figure is a second old, ours is of now:
    /// the larger one is nearer to the truth.
    #[must_use]
    pub fn in_flight_anywhere(&self) -> u32 {
        let told = self
            .scraped
            .map_or(0, |scraped| scraped.running.saturating_add(scraped.waiting));
        self.in_flight.max(told)
    }

    /// Requests of other proxies that wait in its queue, as far as is known.
    #[must_use]
    pub fn waiting_elsewhere(&self) -> u32 {
        self.scraped
            .map_or(0, |scraped| scraped.waiting.saturating_sub(self.awaiting))
    }

    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.weight.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_other_proxies_count_beyond_ours() {
        let mut candidate = Candidate::idle(None, 1);
        candidate.in_flight = 5;
        candidate.awaiting = 2;
        assert_eq!(candidate.in_flight_anywhere(), 5, "nothing was scraped");
        assert_eq!(candidate.waiting_elsewhere(), 0, "nothing was scraped");
        candidate.scraped = Some(Scraped {
            running: 6,
            waiting: 3,
            kv_used_permille: None,
        });
        assert_eq!(
            candidate.in_flight_anywhere(),
            9,
            "other proxies send requests too"
        );
        assert_eq!(candidate.waiting_elsewhere(), 1, "two of the three are ours");
    }

    #[test]
    fn a_limit_is_a_limit() {
        let mut candidate = Candidate::idle(None, 1);
        assert!(candidate.has_room(), "no limit");
        candidate.in_flight_max = Some(2);
        candidate.in_flight = 1;
        assert!(candidate.has_room(), "one place is left");
        candidate.in_flight = 2;
        assert!(!candidate.has_room(), "full");
    }
}
