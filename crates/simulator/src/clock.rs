//! The one file of the simulator that reads a clock, and the pacing built on it.
//!
//! A simulator is an effect by nature: it makes time pass. Everything else in the crate asks here.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_64;

/// Moments that follow each other without drift: each gap counts from the planned end of the one before.
#[derive(Debug)]
pub(crate) struct Pace {
    due: Instant,
}

// === impl Pace ===

impl Pace {
    /// Starts counting at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Moves the next moment `gap` later and returns it; `None` when there is nothing to wait for.
    pub(crate) fn advance(&mut self, gap: Duration) -> Option<Instant> {
        if gap.is_zero() {
            return None;
        }
        self.due = self.due.checked_add(gap).unwrap_or(self.due);
        Some(self.due)
    }

    /// How long before the moment that is planned now `earlier` was.
    pub(crate) fn since(&self, earlier: Instant) -> Duration {
        self.due.saturating_duration_since(earlier)
    }
}

/// The monotonic clock, for spans.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's clock: it makes the delays that others measure"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for `created` fields and `date` headers only.
#[expect(clippy::disallowed_methods, reason = "the simulator's clock, see `now`")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Whole seconds since 1970; zero for a clock that stands before that.
pub(crate) fn unix_seconds() -> u64 {
    wall()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A number that no other call on this machine is likely to get: names a run in the ids of its requests.
pub(crate) fn unique() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let nanos = wall()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let name = xxh3_64(format!("{nanos} {} {call}", std::process::id()).as_bytes());
    u32::try_from(name >> 32).unwrap_or(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_add_up_without_drift_and_a_zero_gap_needs_no_wait() {
        let start = now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.advance(Duration::ZERO), None, "nothing to wait for");
        let first = pace.advance(Duration::from_millis(10));
        let second = pace.advance(Duration::from_millis(5));
        assert_eq!(first, Some(start + Duration::from_millis(10)));
        assert_eq!(
            second,
            Some(start + Duration::from_millis(15)),
            "counted from the plan"
        );
    }

    #[test]
    fn the_wall_clock_stands_after_2020() {
        assert!(
            unix_seconds() > 1_577_836_800,
            "a clock before 2020 makes no usable records"
        );
    }

    #[test]
    fn two_runs_have_two_names() {
        assert_ne!(unique(), unique(), "even in the same nanosecond");
    }
}
