//! One request and its answer on a kept connection, timed read by read.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock;
use crate::load::scan::{Events, Framing, Head};
use crate::load::summary::{End, Seen};
use crate::load::traffic::Outgoing;

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    input: BytesMut,
    /// Whether an answer has come on it before: then the server may close it at any moment.
    used: bool,
}

/// When a client leaves on purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave {
    Never,
    AfterEvents(u64),
    After(Duration),
}

/// How one try on one connection ended.
enum Try {
    Ended {
        seen: Seen,
        reusable: bool,
    },
    /// The server had closed the kept connection before it read the request; another connection will do.
    Stale,
}

/// Time for one small JSON answer.
const JSON_TIMEOUT: Duration = Duration::from_secs(5);

// === impl Line ===

impl Line {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: BytesMut::with_capacity(8192),
            used: false,
        })
    }

    /// Whether the server has closed it, or sent what nobody asked for.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The models that the server lists; empty when it cannot say.
    pub(crate) async fn models(&mut self, host: &str, key: Option<&str>) -> Vec<String> {
        let listed = self.json(host, "/v1/models", key).await;
        listed
            .as_ref()
            .and_then(|(_, listed)| listed["data"].as_array())
            .map(|cards| {
                cards
                    .iter()
                    .filter_map(|card| card["id"].as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Status and JSON of a GET; `None` when the answer is none, or comes too late.
    pub(crate) async fn json(&mut self, host: &str, path: &str, key: Option<&str>) -> Option<(u16, Value)> {
        let authorization = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}\r\n");
        let asking = async {
            self.stream.write_all(request.as_bytes()).await.ok()?;
            let mut head: Option<Head> = None;
            let mut body = Vec::new();
            loop {
                if self.stream.read_buf(&mut self.input).await.ok()? == 0 {
                    return None;
                }
                if head.is_none() {
                    head = Head::take(&mut self.input).ok()?;
                }
                if let Some(head) = &mut head
                    && head
                        .framing
                        .take(&mut self.input, |bytes| body.extend_from_slice(bytes))
                        .ok()?
                {
                    return Some((head.status, serde_json::from_slice(&body).ok()?));
                }
            }
        };
        tokio::time::timeout(JSON_TIMEOUT, asking).await.ok().flatten()
    }

    async fn attempt(&mut self, request: &Outgoing, started: Instant, leave: Leave) -> Try {
        let mut seen = Seen {
            id: request.id.clone(),
            end: End::Broken,
            late: Duration::ZERO,
            status: None,
            ttfb: None,
            ttft: None,
            e2e: Duration::ZERO,
            bytes: 0,
            events: 0,
            gaps: Vec::new(),
            done: false,
        };
        let mut reusable = false;
        if self.stream.write_all(&request.bytes).await.is_ok() {
            reusable = self.read_answer(&mut seen, started, leave).await;
        }
        if seen.ttfb.is_none() && seen.end == End::Broken && self.used {
            return Try::Stale;
        }
        self.used = true;
        seen.e2e = clock::now().saturating_duration_since(started);
        Try::Ended { seen, reusable }
    }

    /// Reads one answer into `seen`; true when the connection can take another request.
    async fn read_answer(&mut self, seen: &mut Seen, started: Instant, leave: Leave) -> bool {
        let mut head: Option<Head> = None;
        let mut events = Events::default();
        loop {
            self.input.reserve(4096);
            let Ok(read) = self.stream.read_buf(&mut self.input).await else {
                return false;
            };
            let now = clock::now();
            if read == 0 {
                if head
                    .as_ref()
                    .is_some_and(|head| matches!(head.framing, Framing::UntilClose))
                {
                    seen.end = End::Whole;
                }
                return false;
            }
            seen.ttfb
                .get_or_insert_with(|| now.saturating_duration_since(started));
            seen.bytes += u64::try_from(read).unwrap_or(0);
            if head.is_none() {
                head = match Head::take(&mut self.input) {
                    Ok(head) => head,
                    Err(_) => return false,
                };
            }
            let Some(head) = &mut head else { continue };
            seen.status = Some(head.status);
            let streams = head.streams;
            let whole = head.framing.take(&mut self.input, |bytes| {
                if streams {
                    events.feed(bytes, now);
                }
            });
            seen.events = events.content;
            seen.done = events.done;
            seen.ttft = events
                .first_content
                .map(|first| first.saturating_duration_since(started));
            seen.gaps.append(&mut events.gaps);
            match whole {
                Ok(true) => {
                    seen.end = End::Whole;
                    return !head.closes;
                }
                Ok(false) => {}
                Err(_) => return false,
            }
            if let Leave::AfterEvents(count) = leave
                && events.content >= count
            {
                seen.end = End::Aborted;
                return false;
            }
        }
    }
}

/// Sends `request`, on `line` when there is one, and says what came of it. Returns the connection when it can
/// be used again. `started` may lie in the past: the planned moment of an open loop.
pub(crate) async fn exchange(
    addr: SocketAddr,
    line: Option<Line>,
    request: &Outgoing,
    started: Instant,
    leave: Leave,
    timeout: Duration,
) -> (Seen, Option<Line>) {
    let span = match leave {
        Leave::After(span) => span.min(timeout),
        Leave::Never | Leave::AfterEvents(_) => timeout,
    };
    match tokio::time::timeout(span, run(addr, line, request, started, leave)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let end = if matches!(leave, Leave::After(_)) {
                End::Aborted
            } else {
                End::TimedOut
            };
            (unseen(request, end, started), None)
        }
    }
}

async fn run(
    addr: SocketAddr,
    mut line: Option<Line>,
    request: &Outgoing,
    started: Instant,
    leave: Leave,
) -> (Seen, Option<Line>) {
    let late = clock::now().saturating_duration_since(started);
    loop {
        let mut current = match line.take() {
            Some(kept) if !kept.is_stale() => kept,
            _ => match Line::connect(addr).await {
                Ok(fresh) => fresh,
                Err(_) => return (unseen(request, End::Unreachable, started), None),
            },
        };
        match current.attempt(request, started, leave).await {
            Try::Ended { mut seen, reusable } => {
                seen.late = late;
                return (seen, reusable.then_some(current));
            }
            Try::Stale => {}
        }
    }
}

fn unseen(request: &Outgoing, end: End, started: Instant) -> Seen {
    Seen {
        id: request.id.clone(),
        end,
        late: Duration::ZERO,
        status: None,
        ttfb: None,
        ttft: None,
        e2e: clock::now().saturating_duration_since(started),
        bytes: 0,
        events: 0,
        gaps: Vec::new(),
        done: false,
    }
}
