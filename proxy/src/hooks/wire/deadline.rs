//! The deadlines of one connection to a replica.
//!
//! A deadline costs one comparison per read: the timer is armed once and looks again when it fires, instead
//! of being reset at each read.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use record::TimeoutKind;
use tokio::time::{Sleep, sleep_until};

use crate::settings::Timeouts;

/// A deadline ran out. Travels inside an [`io::Error`] through Pingora.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Late(pub(crate) TimeoutKind);

/// The replica does not speak, and another one does. Travels like [`Late`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forsaken;

/// How often a request that waits for its first byte looks whether its replica is forsaken.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a request may wait on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Waits {
    first_byte: Duration,
    idle: Duration,
    total: Duration,
}

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
    /// Set while the replica does not speak and another one does.
    forsaken: Arc<AtomicBool>,
}

// === impl Waits ===

impl Waits {
    /// What a mark begins with.
    const NAME: [u8; 4] = *b"wire";

    pub(super) const fn of(timeouts: &Timeouts) -> Self {
        Self {
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            total: timeouts.total,
        }
    }

    /// The name, the replica's number, then each span in nanoseconds.
    pub(super) fn to_mark(self, replica: u64) -> Vec<u8> {
        let mut mark = Self::NAME.to_vec();
        mark.extend(replica.to_be_bytes());
        for span in [self.first_byte, self.idle, self.total] {
            mark.extend(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).to_be_bytes());
        }
        mark
    }

    /// The spans, and the replica's number.
    pub(super) fn from_mark(mark: &[u8]) -> Option<(Self, u64)> {
        let mut numbers = mark.strip_prefix(&Self::NAME)?.as_chunks().0.iter();
        let mut next = || Some(u64::from_be_bytes(*numbers.next()?));
        let replica = next()?;
        let waits = Self {
            first_byte: Duration::from_nanos(next()?),
            idle: Duration::from_nanos(next()?),
            total: Duration::from_nanos(next()?),
        };
        Some((waits, replica))
    }
}

// === impl Deadline ===

impl Deadline {
    pub(super) const fn new(forsaken: Arc<AtomicBool>) -> Self {
        Self {
            waiting: Waiting::Nothing,
            timer: None,
            forsaken,
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
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, waits: Waits, now: Instant) -> Poll<io::Error> {
        let Some((at, kind)) = self.next(waits) else {
            return Poll::Pending;
        };
        if now >= at {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, Late(kind)));
        }
        let mut until = tokio::time::Instant::from_std(at);
        if matches!(self.waiting, Waiting::FirstByte { .. }) {
            if self.forsaken.load(Relaxed) {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, Forsaken));
            }
            until = until.min(tokio::time::Instant::from_std(now + LOOK_EVERY));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until || timer.is_elapsed() {
            timer.as_mut().reset(until);
        }
        if timer.as_mut().poll(cx).is_ready() {
            // It was armed for an earlier deadline that has moved since, or to look at the replica.
            timer.as_mut().reset(until);
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// The nearest deadline and what it is for.
    fn next(&self, waits: Waits) -> Option<(Instant, TimeoutKind)> {
        let (near, began) = match self.waiting {
            Waiting::Nothing => return None,
            Waiting::FirstByte { began } => (
                (began.checked_add(waits.first_byte)?, TimeoutKind::FirstByte),
                began,
            ),
            Waiting::NextByte { began, last } => ((last.checked_add(waits.idle)?, TimeoutKind::Idle), began),
        };
        let total = (began.checked_add(waits.total)?, TimeoutKind::Total);
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

impl fmt::Display for Forsaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is heard of the replica")
    }
}

impl std::error::Error for Forsaken {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn waits() -> Waits {
        let seconds = Duration::from_secs;
        Waits {
            first_byte: seconds(60),
            idle: seconds(10),
            total: seconds(100),
        }
    }

    #[test]
    fn a_mark_tells_the_spans_and_nothing_else_does() {
        let mark = waits().to_mark(7);
        assert_eq!(Waits::from_mark(&mark), Some((waits(), 7)));
        assert_eq!(Waits::from_mark(&mark[..mark.len() - 1]), None, "cut short");
        assert_eq!(Waits::from_mark(b"h2"), None);
    }

    #[test]
    fn the_nearest_deadline_is_the_one_that_counts() {
        let (t0, seconds) = (clock::now(), Duration::from_secs);
        let mut deadline = Deadline::new(Arc::default());
        assert_eq!(deadline.next(waits()), None, "nothing was asked");
        deadline.bytes(t0);
        assert_eq!(
            deadline.next(waits()),
            None,
            "bytes that nobody asked for start no clock"
        );
        deadline.request(t0);
        assert_eq!(
            deadline.next(waits()),
            Some((t0 + seconds(60), TimeoutKind::FirstByte))
        );
        deadline.bytes(t0 + seconds(50));
        assert_eq!(
            deadline.next(waits()),
            Some((t0 + seconds(60), TimeoutKind::Idle))
        );
        deadline.bytes(t0 + seconds(95));
        assert_eq!(
            deadline.next(waits()),
            Some((t0 + seconds(100), TimeoutKind::Total))
        );
        deadline.request(t0 + seconds(200));
        assert_eq!(
            deadline.next(waits()),
            Some((t0 + seconds(260), TimeoutKind::FirstByte)),
            "a new request, a new clock"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_fires_at_its_new_place() {
        let waits = waits();
        let start = tokio::time::Instant::from_std(clock::now());
        let _origin = start;
        let mut deadline = Deadline::new(Arc::default());
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
        let error = std::future::poll_fn(|cx| deadline.poll(cx, waits, now())).await;
        waited(TimeoutKind::Idle, error);
        assert!(
            (now() - began).abs_diff(waits.idle) < Duration::from_millis(5),
            "{:?}",
            now() - began
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_the_first_byte_of_a_forsaken_replica_ends_soon() {
        let forsaken = Arc::new(AtomicBool::new(false));
        let mut deadline = Deadline::new(Arc::clone(&forsaken));
        let began = tokio_now();
        deadline.request(began);
        let setting = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            forsaken.store(true, Relaxed);
        };
        let waiting = std::future::poll_fn(|cx| deadline.poll(cx, waits(), tokio_now()));
        let (error, ()) = tokio::join!(waiting, setting);
        assert!(
            error
                .get_ref()
                .and_then(|cause| cause.downcast_ref::<Forsaken>())
                .is_some(),
            "{error}"
        );
        let waited = tokio_now() - began;
        let soon = Duration::from_secs(20) + LOOK_EVERY * 2;
        assert!(waited >= Duration::from_secs(20) && waited < soon, "{waited:?}");
        deadline.bytes(tokio_now());
        let still = tokio::time::timeout(
            Duration::from_secs(5),
            std::future::poll_fn(|cx| deadline.poll(cx, waits(), tokio_now())),
        );
        assert!(still.await.is_err(), "an answer that has begun is not given up");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the paused clock of the test is tokio's"
    )]
    fn tokio_now() -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
