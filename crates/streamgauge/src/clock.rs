//! The clocks of the binary: the only place of this crate that reads one.
//!
//! They say how long a child has lived, and what is past its time. Everything that decides with time takes a
//! value as an argument, so that tests choose it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use record::UnixMillis;
use record::units::duration_ms_i64;

/// This moment on the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of this crate that reads the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// This moment on the wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of this crate that reads the clock"
)]
pub(crate) fn wall() -> UnixMillis {
    UnixMillis(duration_ms_i64(
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
    ))
}
