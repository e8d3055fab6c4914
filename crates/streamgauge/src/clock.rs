//! The clock of the supervisor: the only place of this crate that reads one.
//!
//! It exists to say how long a child has lived. Everything that decides with time takes a `Duration` or an
//! `Instant` as an argument, so that tests choose it.

use std::time::Instant;

/// This moment on the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of this crate that reads the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
