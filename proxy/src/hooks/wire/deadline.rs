//! The deadlines of one connection to a replica.
//!
//! A deadline costs one comparison per read: the timer is armed once and looks again when it fires, instead
//! of being reset at each read.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use record::TimeoutKind;
use tokio::time::{Sleep, sleep_until};

use crate::settings::Timeouts;

/// A deadline ran out. Travels inside an [`io::Error`] through Pingora.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Late(pub(crate) TimeoutKind);

/// What the connection waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waiting {
    /// No request was sent yet.
    Nothing,
    /// The request was sent; no byte of the answer has come.
    FirstByte { began: Instant },
    /// The answer is coming.
    NextByte { began: Instant, last: Instant },
}

/// Watches one connection.
#[derive(Debug)]
pub(super) struct Deadline {
    waiting: Waiting,
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl Deadline ===

impl Deadline {
    pub(super) const fn new() -> Self {
        Self {
            waiting: Waiting::Nothing,
            timer: None,
        }
    }

    /// A request begins.
    pub(super) const fn request(&mut self, now: Instant) {
        self.waiting = Waiting::FirstByte { began: now };
    }

    /// Bytes of the answer came.
    pub(super) const fn bytes(&mut self, now: Instant) {
        self.waiting = match self.waiting {
            Waiting::Nothing => Waiting::Nothing,
            Waiting::FirstByte { began } | Waiting::NextByte { began, .. } => {
                Waiting::NextByte { began, last: now }
            }
        };
    }

    /// Nothing came: pending until a deadline has passed.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        timeouts: &Timeouts,
        now: Instant,
    ) -> Poll<io::Error> {
        let Some((at, kind)) = self.next(timeouts) else {
            return Poll::Pending;
        };
        if now >= at {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, Late(kind)));
        }
        let until = tokio::time::Instant::from_std(at);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until || timer.is_elapsed() {
            timer.as_mut().reset(until);
        }
        if timer.as_mut().poll(cx).is_ready() {
            // It was armed for an earlier deadline that has moved since.
            timer.as_mut().reset(until);
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, Late(kind)));
            }
        }
        Poll::Pending
    }

    /// The nearest deadline and what it is for.
    fn next(&self, timeouts: &Timeouts) -> Option<(Instant, TimeoutKind)> {
        let (near, began) = match self.waiting {
            Waiting::Nothing => return None,
            Waiting::FirstByte { began } => (
                (began.checked_add(timeouts.first_byte)?, TimeoutKind::FirstByte),
                began,
            ),
            Waiting::NextByte { began, last } => {
                ((last.checked_add(timeouts.idle)?, TimeoutKind::Idle), began)
            }
        };
        let total = (began.checked_add(timeouts.total)?, TimeoutKind::Total);
        Some(if total.0 < near.0 { total } else { near })
    }
}

// === impl Late ===

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            TimeoutKind::Connect => "no connection to the replica in time",
            TimeoutKind::FirstByte => "no answer from the replica in time",
            TimeoutKind::Idle => "the replica's answer stood still for too long",
            TimeoutKind::Total => "the request took too long",
        })
    }
}

impl std::error::Error for Late {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    fn timeouts() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts {
            connect: seconds(1),
            first_byte: seconds(60),
            idle: seconds(10),
            total: seconds(100),
            keepalive: seconds(4),
        }
    }

    #[test]
    fn the_nearest_deadline_is_the_one_that_counts() {
        let (t0, seconds) = (clock::now(), Duration::from_secs);
        let mut deadline = Deadline::new();
        assert_eq!(deadline.next(&timeouts()), None, "nothing was asked");
        deadline.bytes(t0);
        assert_eq!(
            deadline.next(&timeouts()),
            None,
            "bytes that nobody asked for start no clock"
        );
        deadline.request(t0);
        assert_eq!(
            deadline.next(&timeouts()),
            Some((t0 + seconds(60), TimeoutKind::FirstByte))
        );
        deadline.bytes(t0 + seconds(50));
        assert_eq!(
            deadline.next(&timeouts()),
            Some((t0 + seconds(60), TimeoutKind::Idle))
        );
        deadline.bytes(t0 + seconds(95));
        assert_eq!(
            deadline.next(&timeouts()),
            Some((t0 + seconds(100), TimeoutKind::Total))
        );
        deadline.request(t0 + seconds(200));
        assert_eq!(
            deadline.next(&timeouts()),
            Some((t0 + seconds(260), TimeoutKind::FirstByte)),
            "a new request, a new clock"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_fires_at_its_new_place() {
        let timeouts = timeouts();
        let start = tokio::time::Instant::from_std(clock::now());
        let _origin = start;
        let mut deadline = Deadline::new();
        let now = || tokio_now();
        deadline.request(now());
        let waited = |kind: TimeoutKind, error: io::Error| {
            assert_eq!(
                error.get_ref().and_then(|cause| cause.downcast_ref::<Late>()),
                Some(&Late(kind))
            );
        };
        let began = now();
        deadline.bytes(now());
        let error = std::future::poll_fn(|cx| deadline.poll(cx, &timeouts, now())).await;
        waited(TimeoutKind::Idle, error);
        assert!(
            (now() - began).abs_diff(timeouts.idle) < Duration::from_millis(5),
            "{:?}",
            now() - began
        );
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the paused clock of the test is tokio's"
    )]
    fn tokio_now() -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
