//! Counts of requests in flight, audited: what the replicas' counters say against the requests that hold a
//! place.
//!
//! Routers that count with increments and decrements end up sending nothing to replicas that look busy for
//! ever. Here guards count, and this says whether the guards are right. A request that is given a place or
//! gives it back in the moment of the comparison is no difference; so only one that lasts is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use super::places::WithReplica;
use crate::shared::Shared;

/// Requests that hold a place, counted where they hold it.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    holders: AtomicI64,
    /// The difference at the last comparison.
    before: AtomicI64,
}

/// A request's own hold on its place.
#[derive(Debug)]
pub(crate) struct Hold {
    shared: Arc<Shared>,
    with: Option<WithReplica>,
}

// === impl Audit ===

impl Audit {
    /// Compares with what the replicas count; the difference as far as it has lasted since the last time.
    pub(crate) fn compare(&self, counted: u64) -> i64 {
        let counted = i64::try_from(counted).unwrap_or(i64::MAX);
        let now = counted.saturating_sub(self.holders.load(SeqCst));
        let before = self.before.swap(now, SeqCst);
        if now.signum() == before.signum() {
            now.signum() * now.abs().min(before.abs())
        } else {
            0
        }
    }
}

// === impl Hold ===

impl Hold {
    /// A request without a place.
    pub(crate) const fn nothing(shared: Arc<Shared>) -> Self {
        Self { shared, with: None }
    }

    /// Takes hold of a place; one that was held before is given back.
    pub(crate) fn take(&mut self, with: WithReplica) {
        self.release();
        self.shared.audit.holders.fetch_add(1, SeqCst);
        self.with = Some(with);
    }

    /// Gives the place back.
    pub(crate) fn release(&mut self) {
        if let Some(with) = self.with.take() {
            self.shared.audit.holders.fetch_sub(1, SeqCst);
            drop(with);
        }
    }

    pub(crate) const fn get(&self) -> Option<&WithReplica> {
        self.with.as_ref()
    }

    pub(crate) const fn get_mut(&mut self) -> Option<&mut WithReplica> {
        self.with.as_mut()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_that_lasts_is_told() {
        let audit = Audit::default();
        assert_eq!(audit.compare(3), 0, "perhaps three are just being given");
        assert_eq!(audit.compare(2), 2, "two of them were there before");
        assert_eq!(audit.compare(0), 0);
        audit.holders.store(4, SeqCst);
        assert_eq!(audit.compare(4), 0);
        assert_eq!(audit.compare(3), 0);
        assert_eq!(audit.compare(1), -1, "counted out more often than in");
    }
}
