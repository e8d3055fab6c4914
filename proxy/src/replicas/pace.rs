//! How fast a replica's first tokens come, and who is far slower than its peers.
//!
//! A replica that answers everything, but late, passes its probes and fails no request. It is found by
//! comparison: the median of its own last waits against the median of its peers'.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Waits that are kept for each replica. Why this number: a median of 64 is steady, and takes 256 bytes.
const KEPT: usize = 64;

/// A replica is slow only if it is slower by at least this much: factors of a few milliseconds say nothing.
const SLOWER_BY_MIN: Duration = Duration::from_millis(500);

/// Fewest peers to compare with: of two replicas, nobody can say which one is the usual one.
const PEERS_MIN: usize = 2;

/// The last waits for a first token at one replica. A wait costs an addition and a store.
#[derive(Debug)]
pub(crate) struct Pace {
    waits_ms: [AtomicU32; KEPT],
    seen: AtomicU64,
    judged: AtomicU64,
}

// === impl Pace ===

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            waits_ms: std::array::from_fn(|_| AtomicU32::new(0)),
            seen: AtomicU64::new(0),
            judged: AtomicU64::new(0),
        }
    }

    /// A first token came after this wait.
    pub(crate) fn waited(&self, wait: Duration) {
        let nth = self.seen.fetch_add(1, Relaxed);
        let at = usize::try_from(nth).unwrap_or(0) % KEPT;
        if let Some(place) = self.waits_ms.get(at) {
            place.store(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX), Relaxed);
        }
    }

    /// The median wait since [`Self::forget`]; `None` with fewer waits than `at_least`.
    pub(crate) fn median(&self, at_least: u32) -> Option<Duration> {
        let seen = self.seen.load(Relaxed);
        let fresh = seen.saturating_sub(self.judged.load(Relaxed));
        if fresh < u64::from(at_least.max(1)) {
            return None;
        }
        let count = usize::try_from(fresh).unwrap_or(KEPT).min(KEPT);
        let newest = usize::try_from(seen).unwrap_or(0);
        let mut waits: Vec<u32> = (1..=count)
            .filter_map(|back| self.waits_ms.get(newest.wrapping_sub(back) % KEPT))
            .map(|wait| wait.load(Relaxed))
            .collect();
        waits.sort_unstable();
        let middle = waits.get(waits.len() / 2)?;
        Some(Duration::from_millis(u64::from(*middle)))
    }

    /// What was seen so far counts no more.
    pub(crate) fn forget(&self) {
        self.judged.store(self.seen.load(Relaxed), Relaxed);
    }
}

/// Who of these is slower than the median of the others by `factor`; places in `medians` order. A factor of 0
/// finds nobody.
pub(crate) fn outliers(medians: &[Option<Duration>], factor: u32) -> Vec<usize> {
    let mut slow = Vec::new();
    if factor == 0 {
        return slow;
    }
    for (place, own) in medians.iter().enumerate() {
        let Some(own) = *own else { continue };
        let mut peers: Vec<Duration> = medians
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place)
            .filter_map(|(_, median)| *median)
            .collect();
        peers.sort_unstable();
        let Some(usual) = peers.get(peers.len() / 2).filter(|_| peers.len() >= PEERS_MIN) else {
            continue;
        };
        if own > usual.saturating_mul(factor) && own > *usual + SLOWER_BY_MIN {
            slow.push(place);
        }
    }
    slow
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_median_needs_enough_waits_and_counts_only_fresh_ones() {
        let pace = Pace::new();
        for wait in [10, 20, 900] {
            assert_eq!(pace.median(3), None);
            pace.waited(MS * wait);
        }
        assert_eq!(pace.median(3), Some(MS * 20), "one long prompt moves no median");
        pace.forget();
        assert_eq!(pace.median(1), None);
        for _ in 0..1_000 {
            pace.waited(MS * 7);
        }
        assert_eq!(pace.median(3), Some(MS * 7));
    }

    #[test]
    fn one_that_is_far_slower_than_its_peers_is_found() {
        let medians = |ms: &[u32]| ms.iter().map(|ms| Some(MS * *ms)).collect::<Vec<_>>();
        assert_eq!(outliers(&medians(&[100, 120, 2_000, 110]), 8), [2]);
        assert!(
            outliers(&medians(&[100, 120, 700, 110]), 8).is_empty(),
            "not by the factor"
        );
        assert!(
            outliers(&medians(&[1, 1, 400, 1]), 8).is_empty(),
            "milliseconds are no matter"
        );
        assert!(
            outliers(&medians(&[100, 9_000]), 8).is_empty(),
            "two cannot be compared"
        );
        assert!(
            outliers(&medians(&[4_000, 4_000, 5_000]), 8).is_empty(),
            "a slow model is slow everywhere"
        );
        assert!(
            outliers(&medians(&[100, 120, 2_000, 110]), 0).is_empty(),
            "switched off"
        );
        let unknown = [Some(MS * 9_000), None, Some(MS * 10), None];
        assert!(outliers(&unknown, 8).is_empty(), "one peer is not enough");
    }
}
