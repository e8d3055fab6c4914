//! The front door: what happens on a client's connection before there is a request.
//!
//! Pingora reads heads with a timeout per read and has no limit on connections, so a client that sends a byte
//! a minute is served for ever. Here the whole head has one deadline and one size limit, idle connections
//! have a limit, connections are counted, and a chunked body is read before the session sees it. Pingora
//! calls this for each accepted connection because `HttpServerOptions::force_custom` is set.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use memchr::memmem;
use pingora::apps::{HttpPersistentSettings, HttpServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::{HttpProxy, ProcessCustomSession};
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::clock;
use crate::hooks::Hooks;
use crate::hooks::answer;
use crate::hooks::chunked;
use crate::hooks::context::Arrival;
use crate::hooks::rewind::Rewind;
use crate::hooks::wire::Wires;
use crate::settings::Limits;
use crate::shared::Shared;

/// How HTTP/2 with prior knowledge begins: <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// How long idle connections are still listened to when a shutdown begins: a request may be on its way.
const LINGER: Duration = Duration::from_secs(1);

/// Why a connection ends before there is a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Away {
    /// Nothing to say: the client closed, or was idle for too long.
    Silent,
    /// The client is told, and it is counted.
    Refused(Refused),
}

/// Why a client is refused before there is a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refused {
    Tls,
    HeadTooLarge,
    HeadTooSlow,
    Http2,
}

/// One open connection, counted.
struct Slot(Arc<Shared>);

/// The handler that Pingora calls for each connection.
pub(super) fn door(shared: Arc<Shared>) -> ProcessCustomSession<Hooks, Wires> {
    Arc::new(move |proxy, io, down| Box::pin(visit(Arc::clone(&shared), proxy, io, down.clone())))
}

async fn visit(
    shared: Arc<Shared>,
    proxy: Arc<HttpProxy<Hooks, Wires>>,
    mut io: Stream,
    down: ShutdownWatch,
) -> Option<Stream> {
    let _slot = Slot::take(&shared)?;
    let mut limits = shared.settings().limits;
    let (mut idle, mut kept) = (limits.head_deadline, None::<HttpPersistentSettings>);
    loop {
        let mut head = match read_head(&mut io, idle, &limits, down.clone()).await {
            Ok(head) => head,
            Err(Away::Silent) => return None,
            Err(Away::Refused(refused)) => {
                let (status, label, reason) = refused.told();
                shared.telemetry.traffic.refused.with_label_values(&[label]).inc();
                refuse(&mut io, status, reason).await;
                return None;
            }
        };
        let mut told = None;
        if chunked::is_chunked(&head) {
            let began = clock::now();
            let upload = chunked::read(&mut io, &head, &limits).await?;
            told = Some(Arrival {
                began,
                refused: upload.refused,
            });
            head = upload.head;
            io = Box::new(Rewind::new(upload.body, io));
        }
        let mut session = ServerSession::new_http1(io);
        match kept.take() {
            Some(kept) => kept.apply_to_session(&mut session),
            None => session.set_keepalive(Some(limits.idle.as_secs())),
        }
        if let Some(told) = told {
            session.set_connection_user_context(Some(Box::new(told)));
        }
        session.set_pipelined_prefix(head);
        // Dropping the request sends its record, as what it is by then.
        let served = tokio::select! {
            biased;
            served = proxy.process_new_http(session, &down) => served,
            () = shared.cut.asked() => return None,
        };
        (io, kept) = served?.consume();
        io = Rewind::unwrap(io);
        limits = shared.settings().limits;
        idle = limits.idle;
    }
}

/// Reads one whole head, and whatever of the body came with it.
async fn read_head(
    io: &mut Stream,
    idle: Duration,
    limits: &Limits,
    mut down: ShutdownWatch,
) -> Result<BytesMut, Away> {
    let leave = async {
        let _stopped = down.wait_for(|stop| *stop).await.is_ok();
        tokio::time::sleep(LINGER).await;
    };
    let mut head = BytesMut::with_capacity(4 * 1024);
    tokio::select! {
        biased;
        read = timeout(idle, io.read_buf(&mut head)) => {
            if !matches!(read, Ok(Ok(1..))) {
                return Err(Away::Silent);
            }
        }
        () = leave => return Err(Away::Silent),
    }
    if head.first() == Some(&TLS_HANDSHAKE) {
        return Err(Away::Refused(Refused::Tls));
    }
    let rest = async {
        while !is_complete(&head) {
            if head.len() > limits.head {
                return Err(Away::Refused(Refused::HeadTooLarge));
            }
            if !matches!(io.read_buf(&mut head).await, Ok(1..)) {
                return Err(Away::Silent);
            }
        }
        Ok(())
    };
    match timeout(limits.head_deadline, rest).await {
        Ok(Ok(())) => {}
        Ok(Err(away)) => return Err(away),
        Err(_) => return Err(Away::Refused(Refused::HeadTooSlow)),
    }
    if head.starts_with(H2_PREFACE) {
        return Err(Away::Refused(Refused::Http2));
    }
    if chunked::head_len(&head) > limits.head {
        return Err(Away::Refused(Refused::HeadTooLarge));
    }
    Ok(head)
}

/// Whether the bytes hold a whole head, as the parser behind us reads it: leading blank lines are passed
/// over, and a bare LF ends a line.
fn is_complete(bytes: &[u8]) -> bool {
    if H2_PREFACE.starts_with(bytes.get(..H2_PREFACE.len()).unwrap_or(bytes)) && !bytes.is_empty() {
        return bytes.len() >= H2_PREFACE.len();
    }
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    memmem::find(rest, b"\n\r\n").is_some() || memmem::find(rest, b"\n\n").is_some()
}

async fn refuse(io: &mut Stream, status: u16, reason: &str) {
    let phrase = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("");
    let body = answer::openai_error(status, "invalid_request_error", reason).to_string();
    let answer = format!(
        "HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    // The client may not listen; the connection closes either way.
    if io.write_all(answer.as_bytes()).await.is_ok() {
        let _flushed = io.flush().await;
    }
}

// === impl Refused ===

impl Refused {
    /// The status, the word in the metrics, and what the client is told.
    const fn told(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Tls => (400, "tls", "this port speaks plain HTTP, not TLS"),
            Self::HeadTooLarge => (431, "head_too_large", "the request head is too large"),
            Self::HeadTooSlow => (408, "head_too_slow", "the request head did not arrive in time"),
            Self::Http2 => (505, "http2", "this port speaks HTTP/1.1"),
        }
    }
}

// === impl Slot ===

impl Slot {
    /// Counts a connection; `None` when there are as many as there may be.
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let slot = Self(Arc::clone(shared));
        let open = shared.connections.fetch_add(1, Relaxed) + 1;
        if open > shared.settings().limits.connections {
            let refused = &shared.telemetry.traffic.refused;
            refused.with_label_values(&["too_many_connections"]).inc();
            return None;
        }
        Some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_complete_at_its_blank_line_and_not_before() {
        let head = b"\r\nPOST / HTTP/1.1\r\nhost: x\r\n\r\n";
        for cut in 0..head.len() {
            assert!(!is_complete(&head[..cut]), "cut at {cut}");
        }
        assert!(is_complete(head));
        assert!(
            is_complete(b"GET / HTTP/1.1\nhost: x\n\nbody"),
            "a bare LF ends a line as well"
        );
        assert!(
            is_complete(H2_PREFACE),
            "the preface has no blank line to wait for"
        );
        assert!(!is_complete(b"PRI * HTT"), "but it is waited for");
        assert!(!is_complete(b"P"), "a POST may begin like it");
    }
}
