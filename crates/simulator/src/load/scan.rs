//! Reading an answer as its bytes come: head, framing, and the events inside.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use memchr::{memchr, memmem};

/// What the head of an answer says.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    pub(crate) streams: bool,
    pub(crate) closes: bool,
}

/// Where an answer's body ends, and how far it has come.
#[derive(Debug)]
pub(crate) enum Framing {
    Length(usize),
    Chunked(Chunk),
    UntilClose,
}

/// Where in the chunked coding the next byte stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chunk {
    Size,
    Payload(usize),
    PayloadEnd,
    Trailers,
}

/// The bytes are no answer that we can read.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Counts the events of a stream.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    pub(crate) content: u64,
    pub(crate) first_content: Option<Instant>,
    last_content: Option<Instant>,
    /// Between two arrivals with content. Events of one read arrived together and make no gap.
    pub(crate) gaps: Vec<Duration>,
    pub(crate) done: bool,
}

/// Longest line that is looked at; the rest of a longer one is skipped.
const LINE_LEN_MAX: usize = 64 << 10;

/// What an event with a token holds, up to the quote that must not follow at once. Good enough to time a
/// simulator and vLLM; the observer crate has the whole truth.
const PAYLOADS: [&[u8]; 4] = [
    b"\"content\":\"",
    b"\"reasoning\":\"",
    b"\"reasoning_content\":\"",
    b"\"text\":\"",
];

// === impl Head ===

impl Head {
    /// Takes the head off the front of `input`; `None` when it is not whole yet.
    pub(crate) fn take(input: &mut BytesMut) -> Result<Option<Self>, Unreadable> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let len = match response.parse(input).map_err(|_| Unreadable)? {
            httparse::Status::Complete(len) => len,
            httparse::Status::Partial => return Ok(None),
        };
        let status = response.code.ok_or(Unreadable)?;
        let mut head = Self {
            status,
            framing: Framing::UntilClose,
            streams: false,
            closes: false,
        };
        for header in response.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(value)
                    .ok()
                    .and_then(|value| value.parse().ok());
                head.framing = Framing::Length(length.ok_or(Unreadable)?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                head.framing = Framing::Chunked(Chunk::Size);
            } else if header.name.eq_ignore_ascii_case("content-type") {
                head.streams = value.starts_with(b"text/event-stream");
            } else if header.name.eq_ignore_ascii_case("connection") {
                head.closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        if matches!(status, 204 | 304) {
            head.framing = Framing::Length(0);
        }
        input.advance(len);
        Ok(Some(head))
    }
}

// === impl Framing ===

impl Framing {
    /// Takes what is there of the body and hands it to `sink`; true when the body is whole.
    pub(crate) fn take(
        &mut self,
        input: &mut BytesMut,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<bool, Unreadable> {
        match self {
            Self::Length(left) => {
                let taken = input.len().min(*left);
                sink(&input[..taken]);
                input.advance(taken);
                *left -= taken;
                Ok(*left == 0)
            }
            Self::UntilClose => {
                sink(input);
                input.clear();
                Ok(false)
            }
            Self::Chunked(chunk) => chunk.take(input, sink),
        }
    }
}

// === impl Chunk ===

impl Chunk {
    fn take(&mut self, input: &mut BytesMut, mut sink: impl FnMut(&[u8])) -> Result<bool, Unreadable> {
        loop {
            match *self {
                Self::Size => match httparse::parse_chunk_size(input).map_err(|_| Unreadable)? {
                    httparse::Status::Complete((line, size)) => {
                        input.advance(line);
                        let size = usize::try_from(size).map_err(|_| Unreadable)?;
                        *self = if size == 0 {
                            Self::Trailers
                        } else {
                            Self::Payload(size)
                        };
                    }
                    httparse::Status::Partial => return Ok(false),
                },
                Self::Payload(left) => {
                    if input.is_empty() {
                        return Ok(false);
                    }
                    let taken = input.len().min(left);
                    sink(&input[..taken]);
                    input.advance(taken);
                    *self = if taken == left {
                        Self::PayloadEnd
                    } else {
                        Self::Payload(left - taken)
                    };
                }
                Self::PayloadEnd => {
                    if input.len() < 2 {
                        return Ok(false);
                    }
                    if !input.starts_with(b"\r\n") {
                        return Err(Unreadable);
                    }
                    input.advance(2);
                    *self = Self::Size;
                }
                Self::Trailers => {
                    let Some(end) = memchr(b'\n', input) else {
                        return Ok(false);
                    };
                    let empty = input[..end].trim_ascii().is_empty();
                    input.advance(end + 1);
                    if empty {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

// === impl Events ===

impl Events {
    /// Looks at the next bytes of a stream, which came at `now`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], now: Instant) {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.read_line(&bytes[..end], now);
            } else {
                self.keep(&bytes[..end]);
                let line = std::mem::take(&mut self.line);
                self.read_line(&line, now);
                self.line = line;
                self.line.clear();
            }
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_LEN_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn read_line(&mut self, line: &[u8], now: Instant) {
        let Some(payload) = line.strip_prefix(b"data:") else {
            return;
        };
        if payload.trim_ascii() == b"[DONE]" {
            self.done = true;
        } else if has_content(payload) {
            self.content += 1;
            self.first_content.get_or_insert(now);
            if let Some(gap) = self.last_content.map(|last| now.saturating_duration_since(last))
                && !gap.is_zero()
            {
                self.gaps.push(gap);
            }
            self.last_content = Some(now);
        }
    }
}

fn has_content(payload: &[u8]) -> bool {
    PAYLOADS.iter().any(|name| {
        memmem::find(payload, name)
            .and_then(|at| payload.get(at + name.len()))
            .is_some_and(|next| *next != b'"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    /// A chunked stream: one event in two chunks, an upper-case size, a trailer, and bytes behind the end.
    fn stream() -> Vec<u8> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
            Transfer-Encoding: chunked\r\n\r\n";
        let chunks = [
            "data: {\"delta\":{\"role\":\"a\",\"content\":\"\"}}\n\n",
            "data: {\"delta\":{\"content\":\" river\"}}\n",
            "\n",
            "data: [DONE]\n\n",
        ];
        let mut bytes = head.to_owned();
        for chunk in chunks {
            bytes.push_str(&format!("{:X}\r\n{chunk}\r\n", chunk.len()));
        }
        bytes.push_str("0\r\nx: y\r\n\r\nrest");
        bytes.into_bytes()
    }

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut() {
        let answer = stream();
        for cut in 0..answer.len() {
            let mut input = BytesMut::new();
            let mut head = None;
            let mut events = Events::default();
            let mut whole = false;
            for piece in [&answer[..cut], &answer[cut..]] {
                input.extend_from_slice(piece);
                if head.is_none() {
                    head = Head::take(&mut input).unwrap();
                }
                if let Some(head) = &mut head
                    && !whole
                {
                    whole = head
                        .framing
                        .take(&mut input, |bytes| events.feed(bytes, now()))
                        .unwrap();
                }
            }
            let head = head.unwrap();
            assert!(head.streams && head.status == 200, "cut at {cut}");
            assert!(whole && events.done, "cut at {cut}: {events:?}");
            assert_eq!(events.content, 1, "the role event holds nothing; cut at {cut}");
            assert_eq!(&input[..], b"rest", "cut at {cut}");
        }
    }

    #[test]
    fn gaps_lie_between_arrivals_and_not_between_events_of_one() {
        let mut events = Events::default();
        let start = now();
        let token = b"data: {\"content\":\"x\"}\n\n";
        events.feed(&[&token[..], &token[..]].concat(), start);
        events.feed(token, start + Duration::from_millis(7));
        assert_eq!((events.content, events.first_content), (3, Some(start)));
        assert_eq!(events.gaps, [Duration::from_millis(7)]);
    }

    #[test]
    fn lengths_and_closes_end_bodies_and_nonsense_is_refused() {
        let mut input = BytesMut::from(
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nconnection: close\r\n\r\n{}"[..],
        );
        let mut head = Head::take(&mut input).unwrap().unwrap();
        assert!(head.closes && !head.streams);
        assert!(
            head.framing
                .take(&mut input, |body| assert_eq!(body, b"{}"))
                .unwrap()
        );
        let mut input = BytesMut::from(&b"HTTP/1.0 200 OK\r\n\r\nabc"[..]);
        let mut head = Head::take(&mut input).unwrap().unwrap();
        assert!(
            !head.framing.take(&mut input, |_| {}).unwrap(),
            "only the close ends it"
        );
        assert!(Head::take(&mut BytesMut::from(&b"\x15\x03\x01"[..])).is_err());
        let mut chunk = Framing::Chunked(Chunk::Size);
        assert!(
            chunk
                .take(&mut BytesMut::from(&b"3\r\nabcXX"[..]), |_| {})
                .is_err()
        );
    }
}
