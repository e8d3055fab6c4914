//! What follows when proxying failed: how the request ended, and what the client is told.

use std::error::Error as _;

use observer::End;
use pingora::ErrorSource;
use pingora::prelude::{Error, ErrorType, Session};
use pingora::proxy::FailToProxy;
use record::{AttemptEnd, Dialect, Name, TimeoutKind};

use crate::hooks::Hooks;
use crate::hooks::answer::{self, Refusal};
use crate::hooks::context::Ctx;
use crate::hooks::wire::{Forsaken, Late};
use crate::tracked::Watched;

// === impl Hooks ===

impl Hooks {
    /// Says how the request ended, answers it when nothing was answered yet, and ends a broken stream with an
    /// error event.
    pub(super) async fn failed(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        let begun = session.response_written().is_some();
        if !begun && let Some(refusal) = ctx.refusal.take() {
            return answer_for(session, ctx, &refusal).await;
        }
        if *error.etype() == ErrorType::WriteTimedout {
            ctx.stall.add(self.shared.settings().limits.write_deadline);
        }
        let end = if ctx.tracked.has_ended() {
            End::ClientGone
        } else {
            end_of(error, begun)
        };
        let nothing = FailToProxy {
            error_code: 0,
            can_reuse_downstream: false,
        };
        if *error.esource() == ErrorSource::Internal && !matches!(error.etype(), ErrorType::HTTPStatus(_)) {
            tracing::error!(
                "request {} failed inside the proxy: {}",
                ctx.tracked.id,
                error.etype().as_str()
            );
        }
        if begun {
            ctx.tracked.end(end);
            self.end_stream(session, end, ctx).await;
            return nothing;
        }
        let Some(refusal) = refusal(end, error) else {
            ctx.tracked.end(end);
            return nothing;
        };
        answer_for(session, ctx, &refusal).await
    }

    /// Ends a broken stream so that no client takes it for complete: an error event, and never a `[DONE]`.
    async fn end_stream(&self, session: &mut Session, end: End, ctx: &mut Ctx) {
        if matches!(end, End::ClientGone) {
            return;
        }
        let held = ctx.tracked.answer_finished();
        let Watched::Stream(stream) = &ctx.tracked.answer else {
            return;
        };
        if stream.is_complete() {
            return;
        }
        let (status, kind) = match end {
            End::TimedOut(_) => (504, "upstream_timeout"),
            _ => (502, "upstream_error"),
        };
        let words = answer::last_words(ctx.tracked.dialect, status, kind);
        let mut last = held;
        if !stream.at_boundary() {
            let end: &[u8] = if ctx.tracked.dialect == Dialect::Ollama {
                b"\n"
            } else {
                b"\n\n"
            };
            last.extend_from_slice(end);
        }
        last.extend_from_slice(words.as_bytes());
        ctx.tracked.response_bytes += u64::try_from(last.len()).unwrap_or(0);
        ctx.tracked.error_type.get_or_insert_with(|| Name::from(kind));
        // The client may be gone by now; there is nobody to tell then.
        let written = session.write_response_body(Some(last.into()), true).await;
        if written.is_ok() {
            let _flushed = session.as_downstream_mut().finish_body().await;
        }
    }
}

/// Answers a request that no replica has answered.
async fn answer_for(session: &mut Session, ctx: &mut Ctx, refusal: &Refusal) -> FailToProxy {
    let sent = refusal.send(session, ctx).await.is_ok();
    FailToProxy {
        error_code: if sent { refusal.status } else { 0 },
        // Whatever a replica was doing with this request, nobody waits for the rest of a body that was read
        // whole.
        can_reuse_downstream: sent && ctx.body.get().is_some(),
    }
}

/// How a request ended that Pingora gave up with `error`.
fn end_of(error: &Error, begun: bool) -> End {
    if let Some(kind) = deadline(error) {
        return End::TimedOut(kind);
    }
    match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => End::Faulty,
        (ErrorSource::Downstream, _) => End::ClientGone,
        (ErrorSource::Upstream, _) if begun => End::UpstreamBroke,
        (ErrorSource::Upstream, _) => End::UpstreamFailed,
        (_, ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) => {
            End::TimedOut(TimeoutKind::Connect)
        }
        (
            _,
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::SocketError
            | ErrorType::ConnectProxyFailure
            | ErrorType::TLSHandshakeFailure
            | ErrorType::InvalidCert
            | ErrorType::HandshakeError,
        ) => End::UpstreamFailed,
        _ => End::Abandoned,
    }
}

/// The deadline towards a replica that ran out, if that is what happened.
pub(super) fn deadline(error: &Error) -> Option<TimeoutKind> {
    if matches!(
        error.etype(),
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout
    ) {
        return Some(TimeoutKind::Connect);
    }
    if *error.esource() == ErrorSource::Upstream && matches!(error.etype(), ErrorType::ReadTimedout) {
        // Over TLS, where one limit covers every read.
        return Some(TimeoutKind::FirstByte);
    }
    if is_forsaken(error) {
        return Some(TimeoutKind::FirstByte);
    }
    let late: &Late = cause(error)?;
    debug_assert!(late.source().is_none(), "the deadline is the cause");
    Some(late.0)
}

/// Whether the wait for a first byte was ended because nothing is heard of the replica.
pub(super) fn is_forsaken(error: &Error) -> bool {
    cause::<Forsaken>(error).is_some()
}

/// What our own wire says inside an error of Pingora's.
fn cause<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    error
        .root_cause()
        .downcast_ref::<std::io::Error>()?
        .get_ref()?
        .downcast_ref()
}

/// How an attempt failed.
pub(super) fn kind(error: &Error, begun: bool) -> AttemptEnd {
    match deadline(error) {
        Some(TimeoutKind::Connect) => return AttemptEnd::TimeoutConnect,
        Some(TimeoutKind::FirstByte) => return AttemptEnd::TimeoutFirstByte,
        Some(TimeoutKind::Idle) => return AttemptEnd::TimeoutIdle,
        Some(TimeoutKind::Total) => return AttemptEnd::TimeoutTotal,
        None if begun => return AttemptEnd::Truncated,
        None => {}
    }
    match error.etype() {
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::HandshakeError => {
            AttemptEnd::Tls
        }
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => AttemptEnd::Reset,
        ErrorType::InvalidHTTPHeader => AttemptEnd::Malformed,
        _ => AttemptEnd::Connect,
    }
}

/// What the client is told; `None` when it is gone.
fn refusal(end: End, error: &Error) -> Option<Refusal> {
    let refusal = |status, kind, message: &str| Refusal {
        end,
        ..Refusal::faulty(status, kind, message)
    };
    Some(match end {
        End::ClientGone | End::Answered(_) => return None,
        End::NoReplica => Refusal::no_replica(),
        End::TimedOut(TimeoutKind::Connect) => refusal(
            504,
            "upstream_timeout",
            "no connection to a replica could be made in time",
        ),
        End::TimedOut(_) => refusal(504, "upstream_timeout", "the replica did not answer in time"),
        End::UpstreamFailed | End::UpstreamBroke => {
            let connect = matches!(kind(error, false), AttemptEnd::Connect | AttemptEnd::Tls);
            let message = if connect {
                "no replica could be reached"
            } else {
                "the replica broke the connection before it answered"
            };
            refusal(502, "upstream_error", message)
        }
        End::Faulty => refusal(400, "invalid_request_error", "the request is malformed"),
        End::Rejected | End::Abandoned => refusal(500, "internal_error", "the proxy failed"),
    })
}
