//! The wrapped stream.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use http::header;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::deadline::{Deadline, Waits};
use crate::clock;

/// What the next write is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// A request's head; Pingora writes it whole.
    Head,
    /// So many bytes of a body whose length the head gave; the head waits for the first of them.
    Body { left: u64 },
    /// A body whose end cannot be seen here: from now on nothing waits on this connection.
    Anything,
}

/// A connection to a replica.
pub(super) struct Wire {
    stream: Stream,
    waits: Waits,
    deadline: Deadline,
    /// The part of the head that is not sent yet.
    head: Vec<u8>,
    next: Next,
}

// === impl Next ===

impl Next {
    /// What follows a head, by its own words.
    fn after(head: &[u8]) -> Self {
        let mut left = 0;
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let is = |other: header::HeaderName| name.eq_ignore_ascii_case(other.as_str().as_bytes());
            if is(header::CONTENT_LENGTH) {
                let Some(length) = std::str::from_utf8(value)
                    .ok()
                    .and_then(|value| value.parse().ok())
                else {
                    return Self::Anything;
                };
                left = length;
            } else if is(header::TRANSFER_ENCODING) || is(header::UPGRADE) {
                return Self::Anything;
            }
        }
        if left == 0 {
            Self::Head
        } else {
            Self::Body { left }
        }
    }
}

// === impl Wire ===

impl Wire {
    /// `forsaken` is set while the replica does not speak and another one does.
    pub(super) fn new(stream: Stream, waits: Waits, forsaken: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            waits,
            deadline: Deadline::new(forsaken),
            head: Vec::new(),
            next: Next::Head,
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.head.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.head))?;
            self.head.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is left of the head together with `body`, and says how much of the body went.
    fn poll_both(&mut self, cx: &mut Context<'_>, body: &[u8]) -> Poll<io::Result<usize>> {
        while !self.head.is_empty() {
            let both = [IoSlice::new(&self.head), IoSlice::new(body)];
            let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &both))?;
            let of_head = sent.min(self.head.len());
            self.head.drain(..of_head);
            if sent > of_head {
                return Poll::Ready(Ok(sent - of_head));
            }
        }
        Pin::new(&mut self.stream).poll_write(cx, body)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.next == Next::Head {
            this.deadline.request(clock::now());
            this.head.extend_from_slice(bytes);
            this.next = Next::after(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let sent = ready!(this.poll_both(cx, bytes))?;
        if let Next::Body { left } = &mut this.next {
            *left = left.saturating_sub(u64::try_from(sent).unwrap_or(0));
            if *left == 0 {
                this.next = Next::Head;
            }
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !matches!(this.next, Next::Body { .. }) {
            ready!(this.poll_head(cx))?;
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_head(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, into) {
            Poll::Ready(read) => {
                if into.filled().len() > before {
                    this.deadline.bytes(clock::now());
                }
                Poll::Ready(read)
            }
            Poll::Pending => this.deadline.poll(cx, this.waits, clock::now()).map(Err),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes that are held: a head carries keys.
        f.debug_struct("Wire")
            .field("stream", &self.stream)
            .field("held", &self.head.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

impl UniqueID for Wire {
    fn id(&self) -> i32 {
        self.stream.id()
    }
}

impl Ssl for Wire {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }
}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl Peek for Wire {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_follows_it() {
        for (head, next) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", Next::Head),
            (
                "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
                Next::Body { left: 12 },
            ),
            ("POST / HTTP/1.1\r\ncontent-length:0\r\n\r\n", Next::Head),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
                Next::Anything,
            ),
            ("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", Next::Anything),
        ] {
            assert_eq!(Next::after(head.as_bytes()), next, "{head}");
        }
    }
}
