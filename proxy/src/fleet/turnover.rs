//! How fast places become free, for those who are told when to come back.
//!
//! A count over the last half minute, in one atomic: the window that runs, and the whole one before it, which
//! counts with the share that still lies within the span.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::clock;

/// The span over which is counted. Why this number: long answers take tens of seconds, and a minute ago is
/// another load.
const WINDOW_S: u64 = 30;

/// Bits of each count; a window holds four million places.
const COUNT_BITS: u32 = 22;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Shortest and longest time that a client is told to wait.
const WAIT_S: (u64, u64) = (1, 60);

/// What is told while no place has become free for a while.
const WAIT_UNKNOWN_S: u64 = 10;

/// Places that became free.
#[derive(Debug)]
pub(super) struct Turnover {
    begun: Instant,
    /// The number of the window, the count of the one before, its own count.
    counts: AtomicU64,
}

/// The counts, taken apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    window: u64,
    before: u64,
    own: u64,
}

// === impl Turnover ===

impl Turnover {
    pub(super) fn new() -> Self {
        Self {
            begun: clock::now(),
            counts: AtomicU64::new(0),
        }
    }

    /// A place became free.
    pub(super) fn freed(&self, now: Instant) {
        let window = self.seconds(now) / WINDOW_S;
        let counted = |packed| {
            let counts = Counts::unpacked(packed).in_window(window);
            let own = (counts.own + 1).min(COUNT_MAX);
            Some(Counts { own, ..counts }.packed())
        };
        // The function never gives up.
        let _counted = self.counts.fetch_update(Relaxed, Relaxed, counted);
    }

    /// In how many seconds those who wait now will have had their places. `spread`, a number of the caller's
    /// own between 0 and 999, parts clients by up to a quarter, so that they do not all come back at once.
    pub(super) fn wait_s(&self, waiting: usize, spread: u64, now: Instant) -> u64 {
        let seconds = self.seconds(now);
        let counts = Counts::unpacked(self.counts.load(Relaxed)).in_window(seconds / WINDOW_S);
        let left = WINDOW_S - seconds % WINDOW_S;
        let freed_times_window = counts.own * WINDOW_S + counts.before * left;
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX).saturating_add(1);
        // waiting / (freed / window), in thousandths.
        let wait = waiting
            .saturating_mul(WINDOW_S * WINDOW_S * 1_000)
            .checked_div(freed_times_window)
            .unwrap_or(WAIT_UNKNOWN_S * 1_000);
        // Far beyond the longest wait nothing can overflow.
        let wait = wait.min(WAIT_S.1 * 1_000);
        (wait + wait * spread.min(999) / 4_000)
            .div_ceil(1_000)
            .clamp(WAIT_S.0, WAIT_S.1)
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs()
    }
}

// === impl Counts ===

impl Counts {
    const fn packed(self) -> u64 {
        (self.window << (2 * COUNT_BITS)) | (self.before << COUNT_BITS) | self.own
    }

    const fn unpacked(packed: u64) -> Self {
        Self {
            window: packed >> (2 * COUNT_BITS),
            before: (packed >> COUNT_BITS) & COUNT_MAX,
            own: packed & COUNT_MAX,
        }
    }

    /// The same counts seen from a later window; a clock that another thread read earlier changes nothing.
    const fn in_window(self, window: u64) -> Self {
        if window <= self.window {
            self
        } else if window == self.window + 1 {
            Self {
                window,
                before: self.own,
                own: 0,
            }
        } else {
            Self {
                window,
                before: 0,
                own: 0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(turnover: &Turnover, seconds: u64) -> Instant {
        turnover.begun + Duration::from_secs(seconds)
    }

    #[test]
    fn the_wait_is_the_line_over_the_pace() {
        let turnover = Turnover::new();
        assert_eq!(turnover.wait_s(3, 0, after(&turnover, 0)), WAIT_UNKNOWN_S);
        // Two places a second for a minute.
        for half in 0..120 {
            turnover.freed(after(&turnover, half / 2));
        }
        let now = after(&turnover, 59);
        for (waiting, wait) in [(0, 1), (1, 1), (9, 5), (39, 20), (999, 60)] {
            let told = turnover.wait_s(waiting, 0, now);
            assert!(told.abs_diff(wait) <= 1, "{waiting} wait: {told} s, not {wait}");
        }
        let spread: Vec<_> = [0, 500, 999]
            .map(|spread| turnover.wait_s(39, spread, now))
            .into();
        assert!(
            spread.is_sorted() && spread[0] < spread[2] && spread[2] <= 26,
            "{spread:?}"
        );
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let turnover = Turnover::new();
        for _ in 0..60 {
            turnover.freed(after(&turnover, 5));
        }
        assert!(
            turnover.wait_s(9, 0, after(&turnover, 31)) <= 6,
            "two a second lately"
        );
        assert!(
            turnover.wait_s(9, 0, after(&turnover, 50)) > 6,
            "that becomes less"
        );
        assert_eq!(turnover.wait_s(9, 0, after(&turnover, 60)), WAIT_UNKNOWN_S);
        turnover.freed(after(&turnover, 200));
        assert_eq!(
            Counts::unpacked(turnover.counts.load(Relaxed)),
            Counts {
                window: 6,
                before: 0,
                own: 1
            }
        );
        turnover.freed(after(&turnover, 100));
        assert_eq!(
            Counts::unpacked(turnover.counts.load(Relaxed)).window,
            6,
            "time does not run back"
        );
    }

    #[test]
    fn nothing_overflows() {
        let turnover = Turnover::new();
        let full = Counts {
            window: 5,
            before: COUNT_MAX,
            own: COUNT_MAX,
        };
        turnover.counts.store(full.packed(), Relaxed);
        turnover.freed(after(&turnover, 5 * WINDOW_S));
        assert_eq!(Counts::unpacked(turnover.counts.load(Relaxed)), full);
        assert_eq!(
            turnover.wait_s(usize::MAX, 999, after(&turnover, 5 * WINDOW_S)),
            60
        );
        assert_eq!(turnover.wait_s(0, 999, after(&turnover, 5 * WINDOW_S)), 1);
    }
}
