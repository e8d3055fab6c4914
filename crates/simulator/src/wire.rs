//! HTTP/1.1 on a raw socket, the server's side: reading whole requests, noticing a client that leaves,
//! writing bytes.
//!
//! An HTTP library would hide what the faults are made of: the single write, the reset, the missing last
//! chunk.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request, read whole.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line and headers as they came, with the empty line.
    pub head: Bytes,
    /// The body; chunked transfer coding is taken off.
    pub body: Bytes,
}

/// The server's end of one connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    input: BytesMut,
}

/// The client is gone: it closed, it reset, or it cannot be written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

/// Why no further request came.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// Closed by the client or by the idle limit, between two requests or inside one.
    Closed,
    /// Not HTTP/1.x that we can read.
    Invalid,
}

struct Framing {
    head_len: usize,
    content_length: usize,
    chunked: bool,
    expects_continue: bool,
}

/// Largest request that is read, head and body: twice the proxy's default limit of 32 MiB.
const REQUEST_LEN_MAX: usize = 64 << 20;
/// Most bytes that are read ahead while an answer is under way.
const READ_AHEAD_MAX: usize = 64 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 128;

// === impl Received ===

impl Received {
    /// The method, as written.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request_line().next().unwrap_or("")
    }

    /// The path with its query, as written.
    #[must_use]
    pub fn target(&self) -> &str {
        self.request_line().nth(1).unwrap_or("")
    }

    /// All headers in order; a value that is not UTF-8 is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
    }

    /// The first value of a header; names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The body as JSON; `None` when it is none.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    fn request_line(&self) -> impl Iterator<Item = &str> {
        let line = self.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        std::str::from_utf8(line).unwrap_or("").split(' ')
    }

    /// Whether the connection ends after the answer.
    pub(crate) fn closes(&self) -> bool {
        let old = self.request_line().nth(2) == Some("HTTP/1.0");
        match self.header("connection") {
            Some(value) if value.eq_ignore_ascii_case("close") => true,
            Some(value) if value.eq_ignore_ascii_case("keep-alive") => false,
            _ => old,
        }
    }
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // A stream of small writes without this waits 40 ms for each acknowledgement.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            input: BytesMut::with_capacity(4096),
        }
    }

    /// Reads the next request whole; `idle` limits the wait for its first byte.
    pub(crate) async fn read_request(&mut self, idle: Duration) -> Result<Received, NoRequest> {
        if self.input.is_empty() {
            match tokio::time::timeout(idle, self.fill()).await {
                Ok(Ok(())) => {}
                Ok(Err(Gone)) | Err(_) => return Err(NoRequest::Closed),
            }
        }
        let framing = loop {
            if let Some(framing) = Framing::read(&self.input)? {
                break framing;
            }
            self.fill().await.map_err(|Gone| NoRequest::Closed)?;
        };
        let head = self.input.split_to(framing.head_len).freeze();
        if framing.expects_continue && self.input.is_empty() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .map_err(|Gone| NoRequest::Closed)?;
        }
        let body = if framing.chunked {
            self.read_chunked().await?
        } else {
            while self.input.len() < framing.content_length {
                self.fill().await.map_err(|Gone| NoRequest::Closed)?;
            }
            self.input.split_to(framing.content_length).freeze()
        };
        Ok(Received { head, body })
    }

    /// Waits until `due`; ends early when the client leaves.
    pub(crate) async fn pause_until(&mut self, due: Instant) -> Result<(), Gone> {
        let sleep = tokio::time::sleep_until(due.into());
        self.watch(sleep).await
    }

    /// Waits for `other`; ends early when the client leaves.
    pub(crate) async fn watch<T>(&mut self, other: impl Future<Output = T>) -> Result<T, Gone> {
        let mut other = std::pin::pin!(other);
        loop {
            if self.input.len() >= READ_AHEAD_MAX {
                return Ok(other.await);
            }
            tokio::select! {
                biased;
                output = &mut other => return Ok(output),
                more = self.fill() => more?,
            }
        }
    }

    /// Waits for the client to leave.
    pub(crate) async fn until_gone(&mut self) {
        while self.fill().await.is_ok() {
            self.input.clear();
        }
    }

    /// Writes all of `bytes`, in one system call when the socket takes them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(bytes).await.map_err(|_| Gone)
    }

    /// Makes the coming close a TCP reset.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    async fn fill(&mut self) -> Result<(), Gone> {
        self.input.reserve(4096);
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(()),
        }
    }

    async fn read_chunked(&mut self) -> Result<Bytes, NoRequest> {
        let mut body = BytesMut::new();
        loop {
            let (line_len, size) = loop {
                match httparse::parse_chunk_size(&self.input).map_err(|_| NoRequest::Invalid)? {
                    httparse::Status::Complete(chunk) => break chunk,
                    httparse::Status::Partial => self.fill().await.map_err(|Gone| NoRequest::Closed)?,
                }
            };
            let size = usize::try_from(size).map_err(|_| NoRequest::Invalid)?;
            if size.saturating_add(body.len()) > REQUEST_LEN_MAX {
                return Err(NoRequest::Invalid);
            }
            self.input.advance(line_len);
            if size == 0 {
                self.skip_trailers().await?;
                return Ok(body.freeze());
            }
            while self.input.len() < size + 2 {
                self.fill().await.map_err(|Gone| NoRequest::Closed)?;
            }
            body.extend_from_slice(&self.input[..size]);
            self.input.advance(size + 2);
        }
    }

    async fn skip_trailers(&mut self) -> Result<(), NoRequest> {
        loop {
            match memchr::memchr(b'\n', &self.input) {
                Some(end) => {
                    let empty = self.input[..end].trim_ascii().is_empty();
                    self.input.advance(end + 1);
                    if empty {
                        return Ok(());
                    }
                }
                None => self.fill().await.map_err(|Gone| NoRequest::Closed)?,
            }
        }
    }
}

// === impl Framing ===

impl Framing {
    /// Reads a head; `None` when it is not whole yet.
    fn read(input: &[u8]) -> Result<Option<Self>, NoRequest> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let head_len = match request.parse(input) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if input.len() < REQUEST_LEN_MAX => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(NoRequest::Invalid),
        };
        let mut framing = Self {
            head_len,
            content_length: 0,
            chunked: false,
            expects_continue: false,
        };
        for header in request.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                framing.content_length = std::str::from_utf8(header.value)
                    .ok()
                    .and_then(|value| value.trim().parse().ok())
                    .filter(|len| *len <= REQUEST_LEN_MAX)
                    .ok_or(NoRequest::Invalid)?;
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                framing.chunked = header.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            } else if header.name.eq_ignore_ascii_case("expect") {
                framing.expects_continue = header.value.eq_ignore_ascii_case(b"100-continue");
            }
        }
        Ok(Some(framing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole_and_refused_when_it_is_broken() {
        let head = b"POST /v1/models?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A: b \r\n\r\nabc";
        let framing = Framing::read(head).ok().flatten().unwrap();
        assert_eq!((framing.head_len, framing.content_length), (head.len() - 3, 3));
        assert!(
            matches!(Framing::read(&head[..20]), Ok(None)),
            "half a head is no error"
        );
        assert!(matches!(
            Framing::read(b"\x16\x03\x01nonsense\r\n\r\n"),
            Err(NoRequest::Invalid)
        ));
        let received = Received {
            head: Bytes::copy_from_slice(&head[..framing.head_len]),
            body: Bytes::from_static(b"abc"),
        };
        assert_eq!((received.method(), received.target()), ("POST", "/v1/models?x=1"));
        assert_eq!(received.header("x-a"), Some("b"));
        assert_eq!(received.header("x-b"), None);
        assert!(!received.closes(), "HTTP/1.1 stays open unless it says otherwise");
    }
}
