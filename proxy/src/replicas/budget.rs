//! The retry budget of a pool: retries may add only so much load.
//!
//! Each request earns a share of a retry, and time earns a few, so that a quiet pool can retry as well. When
//! every replica fails, the budget is spent soon and the failure is told instead of multiplied.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

/// One retry, in thousandths.
const ONE: i64 = 1_000;

/// Retries that time earns, per second. Why this number: at a request a second, 20 % would be one retry in
/// five seconds, and a single restart would already be told to clients.
const PER_SECOND: i64 = 3;

/// Most retries that can be saved up. Why this number: a replica that dies with its whole batch in prefill
/// gives back some hundred requests in one moment (vLLM's default is 256 sequences at once).
const SAVED_MAX: i64 = 512;

/// How many retries a pool may make now.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// What a request earns, in thousandths of a retry.
    share: AtomicI64,
    saved: AtomicI64,
    earned_at: Mutex<Instant>,
}

// === impl RetryBudget ===

impl RetryBudget {
    /// A full budget to which each request adds `percent` of a retry.
    pub(crate) fn new(percent: u32, now: Instant) -> Self {
        Self {
            share: AtomicI64::new(share(percent)),
            saved: AtomicI64::new(SAVED_MAX * ONE),
            earned_at: Mutex::new(now),
        }
    }

    /// A request came. One load and one addition.
    pub(crate) fn earn(&self) {
        if self.saved.load(Relaxed) < SAVED_MAX * ONE {
            self.saved.fetch_add(self.share.load(Relaxed), Relaxed);
        }
    }

    /// Each request adds `percent` of a retry from now on.
    pub(crate) fn share(&self, percent: u32) {
        self.share.store(share(percent), Relaxed);
    }

    /// Takes one retry; `false` when there is none left.
    pub(crate) fn spend(&self, now: Instant) -> bool {
        self.earn_by_time(now);
        self.saved
            .fetch_update(Relaxed, Relaxed, |saved| (saved >= ONE).then_some(saved - ONE))
            .is_ok()
    }

    fn earn_by_time(&self, now: Instant) {
        let mut earned_at = self.earned_at.lock();
        let passed = now.saturating_duration_since(*earned_at);
        let earned = i64::try_from(passed.as_millis())
            .unwrap_or(i64::MAX)
            .saturating_mul(PER_SECOND);
        if earned > 0 {
            *earned_at = now;
            let add = |saved: i64| Some(saved.saturating_add(earned).min(SAVED_MAX * ONE));
            // Never refused: the closure always gives a value.
            let _before = self.saved.fetch_update(Relaxed, Relaxed, add);
        }
    }
}

fn share(percent: u32) -> i64 {
    i64::from(percent) * ONE / 100
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    fn spent(budget: &RetryBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn a_full_budget_lasts_for_one_dying_replica_and_no_longer() {
        let now = clock::now();
        let budget = RetryBudget::new(20, now);
        assert_eq!(spent(&budget, now), 512);
        assert!(!budget.spend(now));
    }

    #[test]
    fn requests_and_time_earn_retries() {
        let now = clock::now();
        let budget = RetryBudget::new(20, now);
        spent(&budget, now);
        for _ in 0..100 {
            budget.earn();
        }
        assert_eq!(spent(&budget, now), 20, "20 % of 100 requests");
        assert_eq!(spent(&budget, now + Duration::from_secs(4)), 12, "3 a second");
    }

    #[test]
    fn what_is_saved_has_a_limit() {
        let now = clock::now();
        let budget = RetryBudget::new(100, now);
        for _ in 0..100_000 {
            budget.earn();
        }
        assert!(spent(&budget, now + Duration::from_hours(24)) <= 513);
    }

    #[test]
    fn a_share_of_nothing_leaves_what_time_earns() {
        let now = clock::now();
        let budget = RetryBudget::new(0, now);
        spent(&budget, now);
        budget.earn();
        assert!(!budget.spend(now));
        assert!(budget.spend(now + Duration::from_secs(1)));
    }
}
