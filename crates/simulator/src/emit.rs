//! The way an answer's bytes leave: heads, chunked framing, and the faults that strike while it goes out.

use std::fmt::Write;
use std::time::Duration;

use crate::clock;
use crate::fault::{Break, Plan};
use crate::shape::ENGINE_ERROR_EVENT;
use crate::wire::{Gone, Wire};

/// Sends the events of one stream.
#[derive(Debug)]
pub(crate) struct Emitter<'w> {
    pub(crate) wire: &'w mut Wire,
    plan: Plan,
    events: u64,
    pending: String,
    pending_events: u64,
    frame: Vec<u8>,
}

/// Why an answer stopped before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// The client left.
    Gone,
    /// A fault closes the connection.
    Broken,
    /// A fault ended the body; the connection stays.
    Ended,
}

/// Size of the pieces of a slow head.
const HEAD_PIECE: usize = 16;

// === impl Emitter ===

impl<'w> Emitter<'w> {
    pub(crate) fn new(wire: &'w mut Wire, plan: Plan) -> Self {
        Self {
            wire,
            plan,
            events: 0,
            pending: String::with_capacity(512),
            pending_events: 0,
            frame: Vec::with_capacity(512),
        }
    }

    /// Sends one event, `data: ...` with its blank line, that `write` appends.
    pub(crate) async fn event(&mut self, write: impl FnOnce(&mut String)) -> Result<(), Stop> {
        self.strike().await?;
        write(&mut self.pending);
        self.events += 1;
        self.pending_events += 1;
        if self.pending_events >= self.plan.coalesce.unwrap_or(1) {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends a comment line; it counts as no event.
    pub(crate) async fn ping(&mut self) -> Result<(), Stop> {
        self.pending.push_str(": keep-alive\n\n");
        self.flush().await
    }

    /// Ends the stream: `[DONE]` and the last chunk.
    pub(crate) async fn finish(&mut self) -> Result<(), Stop> {
        if !self.plan.no_done {
            self.event(|out| out.push_str("data: [DONE]\n\n")).await?;
        }
        self.strike().await?;
        self.flush().await?;
        Ok(self.wire.send(b"0\r\n\r\n").await?)
    }

    /// Plays the faults that are due before the next event.
    async fn strike(&mut self) -> Result<(), Stop> {
        if let Some((after, pause)) = self.plan.stall
            && after == self.events
        {
            self.plan.stall = None;
            self.flush().await?;
            self.stall(pause).await?;
        }
        if self.plan.malformed == Some(self.events) {
            self.plan.malformed = None;
            self.pending.push_str(
                "data: {\"id\":\"chatcmpl-broken\",\"choices\":[{\"index\":0,\"delta\":{\"cont\n\n",
            );
            self.flush().await?;
        }
        let Some((after, kind)) = self.plan.break_after else {
            return Ok(());
        };
        if after != self.events {
            return Ok(());
        }
        self.flush().await?;
        match kind {
            Break::Cut => Err(Stop::Broken),
            Break::Reset => {
                // Without the option the close is an ordinary one; there is nothing better to do.
                let _ = self.wire.reset_on_close();
                Err(Stop::Broken)
            }
            Break::End => {
                self.wire.send(b"0\r\n\r\n").await?;
                Err(Stop::Ended)
            }
            Break::Error => {
                for event in [ENGINE_ERROR_EVENT, "data: [DONE]\n\n"] {
                    self.pending.push_str(event);
                    self.flush().await?;
                }
                self.wire.send(b"0\r\n\r\n").await?;
                Err(Stop::Ended)
            }
        }
    }

    async fn stall(&mut self, pause: Option<Duration>) -> Result<(), Stop> {
        match pause {
            Some(pause) => Ok(self.wire.pause_until(clock::now() + pause).await?),
            None => {
                self.wire.until_gone().await;
                Err(Stop::Gone)
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.plan.split {
            for (from, to) in odd_pieces(self.pending.len()) {
                self.frame.clear();
                push_chunk(&mut self.frame, &self.pending.as_bytes()[from..to]);
                self.wire.send(&self.frame).await?;
                // Lets the reader run, so that the pieces arrive one by one more often than not.
                tokio::task::yield_now().await;
            }
        } else {
            self.frame.clear();
            push_chunk(&mut self.frame, self.pending.as_bytes());
            self.wire.send(&self.frame).await?;
        }
        self.pending.clear();
        self.pending_events = 0;
        Ok(())
    }
}

// === impl Stop ===

impl From<Gone> for Stop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// The head of a 200 whose body is a stream, as uvicorn writes it.
pub(crate) fn stream_head(closes: bool) -> String {
    let mut head = opening(200, closes);
    head.push_str(
        "content-type: text/event-stream; charset=utf-8\r\nvary: Origin\r\n\
         transfer-encoding: chunked\r\n\r\n",
    );
    head
}

/// Head and body of an answer that is not streamed, in one buffer.
pub(crate) fn whole(status: u16, content_type: &str, extra: &str, body: &str, closes: bool) -> String {
    let mut answer = opening(status, closes);
    answer.reserve(body.len() + 128);
    let _ = write!(answer, "content-length: {}\r\n", body.len());
    if !content_type.is_empty() {
        let _ = write!(answer, "content-type: {content_type}\r\n");
    }
    answer.push_str(extra);
    answer.push_str("\r\n");
    answer.push_str(body);
    answer
}

/// Sends a head at once, or in pieces over `slow`.
pub(crate) async fn send_head(wire: &mut Wire, head: &[u8], slow: Option<Duration>) -> Result<(), Gone> {
    let Some(slow) = slow else {
        return wire.send(head).await;
    };
    let pieces = u32::try_from(head.len().div_ceil(HEAD_PIECE)).unwrap_or(u32::MAX);
    let gap = slow / pieces.max(1);
    let mut due = clock::now();
    for piece in head.chunks(HEAD_PIECE) {
        due += gap;
        wire.pause_until(due).await?;
        wire.send(piece).await?;
    }
    Ok(())
}

/// The bounds of pieces of 1, 3, 5, 7 ... bytes.
pub(crate) fn odd_pieces(len: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0_usize;
    (1..).step_by(2).map_while(move |size: usize| {
        let to = from.saturating_add(size).min(len);
        let piece = (from < len).then_some((from, to));
        from = to;
        piece
    })
}

fn opening(status: u16, closes: bool) -> String {
    let mut head = String::with_capacity(256);
    let date = httpdate::HttpDate::from(clock::wall());
    let _ = write!(
        head,
        "HTTP/1.1 {status} {}\r\ndate: {date}\r\nserver: uvicorn\r\n",
        reason(status)
    );
    if closes {
        head.push_str("connection: close\r\n");
    }
    head
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}

fn push_chunk(frame: &mut Vec<u8>, payload: &[u8]) {
    frame.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
    frame.extend_from_slice(payload);
    frame.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_pieces_cover_everything_once() {
        let pieces: Vec<_> = odd_pieces(10).collect();
        assert_eq!(pieces, [(0, 1), (1, 4), (4, 9), (9, 10)]);
        assert_eq!(odd_pieces(0).count(), 0);
    }

    #[test]
    fn an_answer_says_its_length_and_closes_when_asked() {
        let answer = whole(404, "application/json", "", "{}", true);
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\ndate: "), "{answer}");
        assert!(answer.contains("content-length: 2\r\n") && answer.contains("connection: close\r\n"));
        assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
        assert!(stream_head(false).ends_with("transfer-encoding: chunked\r\n\r\n"));
    }
}
