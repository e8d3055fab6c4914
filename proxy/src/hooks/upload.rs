//! The request body: read whole before a replica is chosen, looked at once, changed by one splice at most.
//!
//! Pingora replays a body that a filter has read only from its retry buffer of 64 KiB, and hangs when that
//! overflows (cloudflare/pingora#575). So the buffer is armed for the tail only: there is then always
//! something to replay, never too much, and `request_body_filter` puts the whole body in its place.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use observer::{BodyError, End, RequestFacts, UsageWanted, apply_all};
use pingora::prelude::{Error, Result, Session};
use record::{Endpoint, Flags, Name};

use crate::fleet::{Fleet, UnknownModel};
use crate::hooks::answer::Refusal;
use crate::hooks::context::Ctx;
use crate::identity::Wish;
use crate::routes::{self, BodyForm};
use crate::settings::{Limits, UsageMode};
use crate::shared::Shared;

/// Longest id of a user or a session that is read from a body.
const CLAIM_LEN_MAX: usize = 1_024;

/// What Pingora's retry buffer holds (`BODY_BUF_LIMIT` in pingora-core 0.9.1); a read is never longer.
const TAIL_LEN: u64 = 64 * 1024;

/// Reads the whole body into the context. `Err` inside `Ok`: it is refused.
pub(crate) async fn read(
    session: &mut Session,
    ctx: &mut Ctx,
    limits: &Limits,
) -> Result<std::result::Result<(), Refusal>> {
    let length = session.req_header().headers.get(header::CONTENT_LENGTH);
    let length = length
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or(0);
    if length > limits.body {
        return Ok(Err(refusal(413, limits)));
    }
    if length == 0 {
        return Ok(Ok(()));
    }
    if session.req_header().headers.contains_key(header::EXPECT) {
        session
            .as_downstream_mut()
            .write_continue_response()
            .await
            .map_err(|error| gone(ctx, error))?;
    }
    match tokio::time::timeout(limits.body_deadline, read_all(session, length)).await {
        Ok(Ok(body)) => {
            ctx.tracked.request_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
            ctx.body.set(body);
            Ok(Ok(()))
        }
        Ok(Err(error)) => Err(gone(ctx, error)),
        Err(_) => Ok(Err(refusal(408, limits))),
    }
}

async fn read_all(session: &mut Session, length: u64) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    let mut read = 0_u64;
    loop {
        if length.saturating_sub(read) <= TAIL_LEN {
            session.as_downstream_mut().enable_retry_buffering();
        }
        let Some(piece) = session.as_downstream_mut().read_request_body().await? else {
            break;
        };
        read += u64::try_from(piece.len()).unwrap_or(0);
        let done = read >= length || session.as_downstream_mut().is_body_done();
        if done && whole.is_empty() {
            // The usual case: the whole body in one read, taken without a copy.
            return Ok(piece);
        }
        if whole.is_empty() {
            // Room for the splice, which is then made in place.
            whole.reserve(usize::try_from(length).unwrap_or(0).saturating_add(64));
        }
        whole.extend_from_slice(&piece);
        if done {
            break;
        }
    }
    Ok(whole.freeze())
}

/// The client left, or stopped sending, before its request was complete.
fn gone(ctx: &mut Ctx, error: Box<Error>) -> Box<Error> {
    ctx.tracked.end(End::ClientGone);
    error.into_down()
}

/// Reads the facts of the body, finds the pool for them, and splices in the model's own name and the usage
/// option. `Err`: the request is refused.
pub(crate) fn look(
    ctx: &mut Ctx,
    endpoint: Endpoint,
    content_type: &[u8],
    shared: &Shared,
) -> std::result::Result<(), Refusal> {
    let fleet = &shared.fleet;
    let form = routes::body_form(endpoint);
    let Some(body) = ctx.body.get().filter(|_| form != BodyForm::Unread).cloned() else {
        return serve(ctx, fleet, None).map(drop);
    };
    let read = if form == BodyForm::Multipart {
        RequestFacts::read_form(content_type, &body)
    } else {
        RequestFacts::read(endpoint, &body)
    };
    match read {
        Ok(facts) => {
            let rename = match serve(ctx, fleet, facts.model.as_ref()) {
                Ok(rename) => rename,
                Err(refusal) => {
                    // The record of a refused request says what it asked for, too.
                    ctx.tracked.facts = facts;
                    return Err(refusal);
                }
            };
            let wanted = ctx
                .pool
                .as_ref()
                .and_then(|pool| usage_wanted(pool.settings.usage));
            let mut splices: Vec<_> = rename
                .as_deref()
                .and_then(|real| facts.model_splice(real))
                .into_iter()
                .collect();
            if let Some(wanted) = wanted
                && let Some(asked) = facts.ask_for_usage(endpoint, wanted)
            {
                splices.push(asked.splice);
                ctx.strip = asked.strip;
            }
            let text = |place: &Option<Range<usize>>| facts.text(&body, place.as_ref()?, CLAIM_LEN_MAX);
            let (user, session) = (text(&facts.claims.user), text(&facts.claims.session));
            let wish = Wish {
                user: user.as_deref().map(str::as_bytes),
                session: session.as_deref().map(str::as_bytes),
            };
            shared.identifier.load().body(&mut ctx.tracked.identity, wish);
            if let Some(pool) = &ctx.pool {
                let routed = &mut ctx.tracked.routed;
                let model = rename.as_deref().or(facts.model.as_deref());
                routed.read(&facts, &body, model, pool.balancer());
                routed.belongs_to(ctx.tracked.identity.session.as_deref().map(str::as_bytes));
            }
            if !splices.is_empty() {
                splices.sort_by_key(|splice| splice.range.start);
                ctx.body.set(apply_all(&body, &splices).into());
            }
            ctx.tracked.facts = facts;
            Ok(())
        }
        // The replica knows best what it reads; its own error goes to the client.
        Err(BodyError::NotJson | BodyError::NotForm) => {
            ctx.tracked.flags.insert(Flags::BODY_UNREAD);
            serve(ctx, fleet, None).map(drop)
        }
        Err(refused) => Err(Refusal::faulty(400, "invalid_request_error", refused.to_string())),
    }
}

/// What is asked for on behalf of clients.
const fn usage_wanted(mode: UsageMode) -> Option<UsageWanted> {
    match mode {
        UsageMode::Inject => Some(UsageWanted::AtEnd),
        UsageMode::Continuous => Some(UsageWanted::Running),
        UsageMode::Passthrough => None,
    }
}

/// Finds the pool; gives back the model's own name where the client used an alias.
fn serve(ctx: &mut Ctx, fleet: &Fleet, model: Option<&Name>) -> std::result::Result<Option<Name>, Refusal> {
    let found = fleet.destination(model);
    let destination = found.map_err(|UnknownModel| Refusal::unknown_model(model))?;
    ctx.serve_by(destination.pool);
    Ok(destination.rename)
}

/// The refusal of an upload with its limit named.
pub(crate) fn refusal(status: u16, limits: &Limits) -> Refusal {
    let seconds = |span: Duration| record::units::format_duration(span);
    match status {
        413 => Refusal::faulty(
            413,
            "request_too_large",
            format!(
                "the request body is larger than {}",
                record::units::format_bytes(limits.body)
            ),
        ),
        408 => Refusal::faulty(
            408,
            "request_timeout",
            format!(
                "the request body did not arrive within {}",
                seconds(limits.body_deadline)
            ),
        ),
        _ => Refusal::faulty(
            400,
            "invalid_request_error",
            "the chunked request body is malformed",
        ),
    }
}
