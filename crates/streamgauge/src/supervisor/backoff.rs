//! How long to wait before a dead child is started again.

use std::time::Duration;

/// The wait after the first death: short, because clients wait in the socket's backlog.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait: a child that cannot live should not fill the log.
const LONGEST: Duration = Duration::from_secs(10);
/// A child that lived this long was healthy; its death starts the count anew.
const HEALTHY: Duration = Duration::from_secs(30);

/// Doubles the wait with each death in a row.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// No deaths yet.
    pub(super) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a death, given how long the child had lived.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew_after_health() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..9)
            .map(|_| backoff.after(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(
            backoff.after(HEALTHY),
            FIRST,
            "a healthy life forgives the deaths before it"
        );
        assert_eq!(
            backoff.after(HEALTHY - Duration::from_millis(1)),
            FIRST * 2,
            "almost healthy is not"
        );
    }
}
