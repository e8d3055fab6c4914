//! How long the client has kept us waiting: the time in which its socket took no more bytes.
//!
//! Pingora's connection adds up the time between a write that finds the socket full and the one that gets its
//! bytes through, over the whole connection; here one request's share is cut out of it. That costs no clock,
//! no system call and no wrapper around the connection. Behind a full socket Pingora reads four pieces ahead
//! of the replica and then waits, so a slow client makes the replica's bytes look late: that is what the
//! figure is for.

use std::time::Duration;

use pingora::prelude::Session;

/// The stall of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stall {
    /// What the connection had added up before this answer's head; `None` before there is one.
    before: Option<Duration>,
    /// A write that was given up: the connection adds up only those that came through.
    given_up: Duration,
}

// === impl Stall ===

impl Stall {
    /// The answer's head goes out. Called again for each head; the first one counts.
    pub(crate) fn begin(&mut self, session: &Session) {
        self.before.get_or_insert_with(|| waited(session));
    }

    /// The time blocked on the client since the head; `None` when there was none. Costs a few loads.
    #[inline]
    pub(crate) fn so_far(&self, session: &Session) -> Option<Duration> {
        Some(waited(session).saturating_sub(self.before?) + self.given_up)
    }

    /// A write was given up after so long.
    pub(crate) const fn add(&mut self, span: Duration) {
        self.given_up = span;
    }
}

/// What the client's connection has added up over all its requests.
fn waited(session: &Session) -> Duration {
    let stream = session.as_downstream().stream();
    stream.map_or(Duration::ZERO, |stream| stream.get_write_pending_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn before_the_head_there_is_no_stall_and_after_it_there_is_none_yet() {
        let io = std::io::Cursor::new(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec());
        let mut session = Session::new_h1(Box::new(io));
        assert!(session.read_request().await.unwrap(), "a whole head");
        let mut stall = Stall::default();
        assert_eq!(stall.so_far(&session), None, "unknown, not zero");
        stall.begin(&session);
        assert_eq!(stall.so_far(&session), Some(Duration::ZERO));
        stall.add(Duration::from_secs(60));
        assert_eq!(stall.so_far(&session), Some(Duration::from_secs(60)));
    }
}
