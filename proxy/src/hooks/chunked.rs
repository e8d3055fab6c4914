//! Chunked request bodies: read whole at the door and handed on with a length.
//!
//! Pingora cannot give back a chunked body of more than 64 KiB that was read before a replica is chosen (its
//! end mark cannot be un-read), and sends the end mark twice in one case (cloudflare/pingora#935). So the
//! body is decoded here, and the session sees a head with a Content-Length. Coding:
//! <https://www.rfc-editor.org/rfc/rfc9112#section-7.1>.

use bytes::{Buf, Bytes, BytesMut};
use http::header;
use httparse::{InvalidChunkSize, Status, parse_chunk_size};
use memchr::{memchr, memmem};
use pingora::protocols::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::settings::Limits;

/// Longest line between chunks: a size with its extensions, or a trailer field.
const LINE_LEN_MAX: usize = 4 * 1024;

/// Most trailer fields that are passed over.
const TRAILERS_MAX: usize = 64;

/// An upload as the session gets it.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) head: BytesMut,
    pub(super) body: Bytes,
    /// The upload is refused with this status; the head then announces no body and closes the connection.
    pub(super) refused: Option<u16>,
}

/// Why an upload ends early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trouble {
    Refused(u16),
    Gone,
}

/// Length of the head, its blank line included; of all bytes when it is not complete.
pub(super) fn head_len(bytes: &[u8]) -> usize {
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    let ends = [
        memmem::find(rest, b"\n\r\n").map(|at| at + 3),
        memmem::find(rest, b"\n\n").map(|at| at + 2),
    ];
    ends.into_iter()
        .flatten()
        .min()
        .map_or(bytes.len(), |end| start + end)
}

/// Whether a complete head announces a chunked body.
pub(super) fn is_chunked(bytes: &[u8]) -> bool {
    fields(bytes).any(|(name, value)| {
        name.eq_ignore_ascii_case(header::TRANSFER_ENCODING.as_str().as_bytes())
            && value.eq_ignore_ascii_case(b"chunked")
    })
}

/// Reads the body that follows `bytes` (a complete head and maybe more); `None` when the client left.
pub(super) async fn read(io: &mut Stream, bytes: &BytesMut, limits: &Limits) -> Option<Upload> {
    let (head, begun) = bytes.split_at(head_len(bytes));
    let has = |name: header::HeaderName| {
        fields(head).any(|(field, _)| field.eq_ignore_ascii_case(name.as_str().as_bytes()))
    };
    // Two lengths are how requests are smuggled: https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    if has(header::CONTENT_LENGTH) {
        return Some(Upload {
            head: rewrite(head, 0, true),
            body: Bytes::new(),
            refused: Some(400),
        });
    }
    if has(header::EXPECT) {
        io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
        io.flush().await.ok()?;
    }
    let mut reader = Reader {
        io,
        ahead: BytesMut::from(begun),
    };
    let body = timeout(limits.body_deadline, reader.body(limits.body))
        .await
        .unwrap_or(Err(Trouble::Refused(408)));
    match body {
        Ok(body) => {
            let head = rewrite(head, body.len(), false);
            let ahead = reader.ahead;
            // Bytes behind the body belong to no request that can be served; Pingora decides what they mean.
            let body = if ahead.is_empty() {
                body.freeze()
            } else {
                [&body[..], &ahead[..]].concat().into()
            };
            Some(Upload {
                head,
                body,
                refused: None,
            })
        }
        Err(Trouble::Refused(status)) => Some(Upload {
            head: rewrite(head, 0, true),
            body: Bytes::new(),
            refused: Some(status),
        }),
        Err(Trouble::Gone) => None,
    }
}

/// The head with a length in place of the coding.
fn rewrite(head: &[u8], length: usize, close: bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(head.len() + 48);
    let dropped = [
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::TRAILER,
    ];
    for (place, line) in lines(head).enumerate() {
        let name = memchr(b':', line)
            .and_then(|colon| line.get(..colon))
            .unwrap_or_default();
        let drop = place > 0
            && (dropped
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field.as_str().as_bytes()))
                || (close && name.eq_ignore_ascii_case(header::CONNECTION.as_str().as_bytes())));
        if !drop {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    if close {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    out
}

/// The lines of a head, without their ends and without blank ones.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

fn fields(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(bytes.get(..head_len(bytes)).unwrap_or(bytes))
        .skip(1)
        .filter_map(|line| {
            let (name, value) = line.split_at(memchr(b':', line)?);
            Some((name, value.get(1..).unwrap_or_default().trim_ascii()))
        })
}

struct Reader<'a> {
    io: &'a mut Stream,
    ahead: BytesMut,
}

// === impl Reader ===

impl Reader<'_> {
    async fn body(&mut self, limit: u64) -> Result<BytesMut, Trouble> {
        let mut body = BytesMut::new();
        loop {
            let size = self.size().await?;
            if size == 0 {
                self.trailers().await?;
                return Ok(body);
            }
            let total = size.saturating_add(u64::try_from(body.len()).unwrap_or(u64::MAX));
            if total > limit {
                return Err(Trouble::Refused(413));
            }
            let mut left = usize::try_from(size).map_err(|_| Trouble::Refused(413))?;
            while left > 0 {
                if self.ahead.is_empty() {
                    self.more().await?;
                }
                let piece = self.ahead.split_to(left.min(self.ahead.len()));
                left -= piece.len();
                body.extend_from_slice(&piece);
            }
            if !self.line().await?.is_empty() {
                return Err(Trouble::Refused(400));
            }
        }
    }

    async fn size(&mut self) -> Result<u64, Trouble> {
        loop {
            match parse_chunk_size(&self.ahead) {
                Ok(Status::Complete((width, size))) => {
                    self.ahead.advance(width);
                    return Ok(size);
                }
                Ok(Status::Partial) if self.ahead.len() < LINE_LEN_MAX => self.more().await?,
                Ok(Status::Partial) | Err(InvalidChunkSize) => return Err(Trouble::Refused(400)),
            }
        }
    }

    async fn trailers(&mut self) -> Result<(), Trouble> {
        for _ in 0..TRAILERS_MAX {
            if self.line().await?.is_empty() {
                return Ok(());
            }
        }
        Err(Trouble::Refused(400))
    }

    async fn line(&mut self) -> Result<BytesMut, Trouble> {
        loop {
            if let Some(end) = memchr(b'\n', &self.ahead) {
                let mut line = self.ahead.split_to(end + 1);
                let text = line
                    .strip_suffix(b"\r\n")
                    .or_else(|| line.strip_suffix(b"\n"))
                    .map_or(0, <[u8]>::len);
                line.truncate(text);
                return Ok(line);
            }
            if self.ahead.len() >= LINE_LEN_MAX {
                return Err(Trouble::Refused(400));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Trouble> {
        self.ahead.reserve(16 * 1024);
        match self.io.read_buf(&mut self.ahead).await {
            Ok(1..) => Ok(()),
            _ => Err(Trouble::Gone),
        }
    }
}

#[cfg(test)]
mod tests;
