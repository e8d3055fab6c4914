//! The only file of this process that reads the wall clock. Everything else is told the time.
//!
//! The API needs wall time alone: a window like `now-15m` and the age of a pulse. Durations were measured by
//! the proxy, on its monotonic clock.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use record::UnixMillis;

/// Where the service gets the time from; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

// === impl Clock ===

impl Clock {
    /// The wall clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(system_now)
    }

    /// A clock that calls `now` each time it is read.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> UnixMillis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time as of this call.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this process reads the wall clock"
)]
fn system_now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(record::units::duration_ms_i64(since_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_says_what_it_is_told() {
        let clock = Clock::from_fn(|| UnixMillis(5));
        assert_eq!(clock.now(), UnixMillis(5));
        assert!(
            Clock::system().now() > UnixMillis(1_700_000_000_000),
            "the system's clock is past 2023"
        );
    }
}
