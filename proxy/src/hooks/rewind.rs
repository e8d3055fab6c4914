//! A stream with bytes that were read before: they come first, then the rest.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// See the module's description.
#[derive(Debug)]
pub(super) struct Rewind {
    ahead: Bytes,
    io: Stream,
}

// === impl Rewind ===

impl Rewind {
    pub(super) fn new(ahead: Bytes, io: Stream) -> Self {
        Self { ahead, io }
    }

    /// The stream itself again, once everything ahead was read; so that wrappers do not pile up on a kept
    /// connection.
    pub(super) fn unwrap(io: Stream) -> Stream {
        if !io.as_any().is::<Self>() {
            return io;
        }
        match io.into_any().downcast::<Self>() {
            Ok(this) if this.ahead.is_empty() => this.io,
            Ok(this) => this,
            Err(_) => unreachable!("the type was looked at above"),
        }
    }
}

impl AsyncRead for Rewind {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, into);
        }
        let piece = this
            .ahead
            .get(..into.remaining().min(this.ahead.len()))
            .unwrap_or_default();
        into.put_slice(piece);
        let taken = piece.len();
        this.ahead.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewind {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Rewind {
    async fn shutdown(&mut self) {
        self.io.shutdown().await;
    }
}

impl UniqueID for Rewind {
    fn id(&self) -> i32 {
        self.io.id()
    }
}

impl Ssl for Rewind {}

impl GetTimingDigest for Rewind {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.io.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.io.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.io.get_write_pending_time()
    }
}

impl GetProxyDigest for Rewind {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.io.get_proxy_digest()
    }
}

impl GetSocketDigest for Rewind {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.io.get_socket_digest()
    }
}

impl Peek for Rewind {}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn bytes_ahead_come_first_and_the_stream_is_given_back_after_them() {
        let io: Stream = Box::new(std::io::Cursor::new(b"world".to_vec()));
        let mut stream: Stream = Box::new(Rewind::new(Bytes::from_static(b"hello "), io));
        let mut first = [0_u8; 3];
        stream.read_exact(&mut first).await.unwrap();
        stream = Rewind::unwrap(stream);
        assert!(stream.as_any().is::<Rewind>(), "not yet: bytes are left");
        let mut rest = [0_u8; 8];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!((&first, &rest), (b"hel", b"lo world"));
        assert!(!Rewind::unwrap(stream).as_any().is::<Rewind>());
    }
}
