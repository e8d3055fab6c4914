//! The only place of the data path that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use record::UnixMillis;

/// The monotonic clock: every duration comes from it.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the monotonic clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock: says when something happened, never how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub(crate) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(record::units::duration_ms_i64(since))
}
