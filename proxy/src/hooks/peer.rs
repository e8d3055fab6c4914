//! Attempts: which replica, over which connection, and what follows when that fails before the first byte of
//! the answer.
//!
//! An attempt is repeated only while nothing of an answer has gone to the client, and only within the pool's
//! retry budget: on another replica when there is one. The request's body is held, so a POST is repeated as
//! well. A pooled connection that the replica had just closed is no failure of the replica's: that attempt is
//! repeated on a fresh connection and costs no budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::header;
use pingora::ErrorSource;
use pingora::http::ResponseHeader;
use pingora::prelude::{Error, ErrorType, HttpPeer, Result, Session};
use record::AttemptEnd;

use crate::clock;
use crate::fleet::Pool;
use crate::hooks::answer::Refusal;
use crate::hooks::context::Ctx;
use crate::hooks::{Hooks, failure, wire};
use crate::replicas::{Event, Replica};

/// A request that is run twice must not cost a GPU twice: a reused connection that broke later than this
/// after the request was sent was not stale.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// Makes each fresh connection's pool key its own.
static FRESH: AtomicU64 = AtomicU64::new(1);

// === impl Hooks ===

impl Hooks {
    /// Chooses a replica for the next attempt, and waits for a place at one when none is free.
    pub(super) async fn choose(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        // The replica of a failed attempt is no longer busy with this request.
        ctx.with.release();
        ctx.tracked.routed.attempt_failed();
        let Some(mut pool) = ctx.pool.clone() else {
            return Err(ctx.refuse(Refusal::no_replica()));
        };
        if ctx.tracked.attempts == 0 {
            pool.earn_retry();
        }
        let mut with = pool.admit(&mut ctx.tracked.routed, &ctx.tried, clock::now());
        if with.is_none()
            && let Some(now) = self
                .shared
                .fleet
                .again(&pool)
                .filter(|now| !Arc::ptr_eq(now, &pool))
        {
            // The replicas that it was given may all have left since.
            pool = Arc::clone(ctx.pool.insert(now));
            with = pool.admit(&mut ctx.tracked.routed, &ctx.tried, clock::now());
        }
        let with = match with {
            Some(with) => with,
            None => self.wait(session, ctx, &pool).await?,
        };
        let Some(peer) = peer(&pool, with.replica(), ctx.fresh) else {
            return Err(ctx.refuse(Refusal::no_replica()));
        };
        let now = clock::now();
        ctx.tracked.admitted.get_or_insert(now);
        ctx.tracked.attempts = ctx.tracked.attempts.saturating_add(1);
        ctx.tracked.replica = Some((with.replica().name.clone(), now));
        ctx.tracked.connect = None;
        ctx.tracked.sent = None;
        ctx.body.rewind();
        ctx.with.take(with);
        Ok(Box::new(peer))
    }

    /// No connection: the replica is out at once, and another one is tried.
    pub(super) fn connection_failed(&self, ctx: &mut Ctx, mut error: Box<Error>) -> Box<Error> {
        let now = clock::now();
        let Some(with) = ctx.with.get() else { return error };
        let kind = failure::kind(&error, false);
        let event = match kind {
            AttemptEnd::TimeoutConnect => Event::Vanished,
            _ => Event::Refused,
        };
        with.replica().unreachable(event, now);
        self.count_failure(ctx, kind, now);
        let again = self.try_again(ctx, kind, now);
        error.set_retry(again);
        error
    }

    /// An attempt failed after its connection was made.
    pub(super) fn attempt_failed(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        mut error: Box<Error>,
        client_reused: bool,
    ) -> Box<Error> {
        if *error.esource() != ErrorSource::Upstream {
            error.set_retry(false);
            return error;
        }
        if matches!(error.etype(), ErrorType::HTTPStatus(_)) {
            // `refused_elsewhere` has decided.
            return error;
        }
        let now = clock::now();
        let unanswered = session.response_written().is_none();
        let replayable = unanswered && !session.as_downstream().retry_buffer_truncated();
        let broke = matches!(
            error.etype(),
            ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed
        ) && failure::deadline(&error).is_none();
        let early = ctx
            .tracked
            .sent
            .is_none_or(|sent| now.saturating_duration_since(sent) < STALE_AFTER);
        let kind = failure::kind(&error, !unanswered);
        let again = if replayable && broke && client_reused && early {
            ctx.fresh = true;
            self.stale(ctx, kind, now)
        } else {
            if let Some(with) = ctx.with.get_mut() {
                with.failed(now);
            }
            ctx.fresh |= broke;
            self.count_failure(ctx, kind, now);
            let elsewhere = broke || failure::is_forsaken(&error);
            replayable && elsewhere && self.try_again(ctx, kind, now)
        };
        error.set_retry(again);
        error
    }

    /// The head of an answer that says to try elsewhere, while there is an elsewhere: `Err` repeats the
    /// attempt there. Otherwise the replica's own words go to the client.
    pub(super) fn refused_elsewhere(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let now = clock::now();
        let status = response.status.as_u16();
        let Some(with) = ctx.with.get_mut() else {
            return Ok(());
        };
        with.answered(status < 500, now);
        // Only one replica has a stored response: the others are asked in turn.
        let next = ctx.tracked.replay && status == 404;
        if !matches!(status, 429 | 502 | 503) && !next {
            return Ok(());
        }
        if let Some(pause) = retry_after(response) {
            with.replica().pause(pause, now);
        }
        let replayable =
            session.response_written().is_none() && !session.as_downstream().retry_buffer_truncated();
        let tried = with.replica().name.clone();
        let elsewhere = ctx
            .pool
            .as_ref()
            .is_some_and(|pool| pool.has_other(&[ctx.tried.as_slice(), &[tried]].concat()));
        if !(replayable && elsewhere) {
            return Ok(());
        }
        if next {
            // No failure of the replica's, nothing was generated, and each is asked once.
            self.ask_next(ctx, now);
        } else if self.try_again(ctx, AttemptEnd::Status, now) {
            self.count_failure(ctx, AttemptEnd::Status, now);
        } else {
            return Ok(());
        }
        let mut error = Error::explain(
            ErrorType::HTTPStatus(status),
            "the replica sends requests elsewhere",
        )
        .into_up();
        error.set_retry(true);
        Err(error)
    }

    /// The replica has not got what is asked for; another one may.
    fn ask_next(&self, ctx: &mut Ctx, now: Instant) {
        ctx.tracked.attempt_ended(AttemptEnd::Status, now);
        self.count_retry(ctx, "not_stored");
        if let Some(with) = ctx.with.get() {
            ctx.tried.push(with.replica().name.clone());
        }
    }

    /// Whether another attempt is made; if so, the replica of this one is not asked again while there are
    /// others.
    fn try_again(&self, ctx: &mut Ctx, end: AttemptEnd, now: Instant) -> bool {
        let Some(replica) = ctx.with.get().map(|with| with.replica().name.clone()) else {
            return false;
        };
        ctx.tried.push(replica);
        let Some(pool) = &ctx.pool else { return false };
        let again = ctx.tracked.attempts < pool.settings.retries.attempts
            && (pool.has_other(&ctx.tried) || pool.is_worth_waiting_for(now))
            && pool.spend_retry(now);
        if again {
            self.count_retry(ctx, end.as_str());
        }
        again
    }

    /// A pooled connection that had gone stale: once more on a fresh one, to whichever replica.
    fn stale(&self, ctx: &mut Ctx, end: AttemptEnd, now: Instant) -> bool {
        let limit = ctx.pool.as_ref().map_or(1, |pool| pool.settings.retries.attempts);
        let again = ctx.tracked.attempts < limit.max(2);
        if again {
            ctx.tracked.attempt_ended(end, now);
            self.count_retry(ctx, "stale_connection");
        } else {
            self.count_failure(ctx, end, now);
        }
        again
    }

    fn count_retry(&self, ctx: &Ctx, reason: &str) {
        if let Some(with) = ctx.with.get() {
            let labels = [&*with.replica().name, reason];
            self.shared
                .telemetry
                .traffic
                .retries
                .with_label_values(&labels)
                .inc();
        }
    }

    fn count_failure(&self, ctx: &mut Ctx, end: AttemptEnd, now: Instant) {
        ctx.tracked.attempt_ended(end, now);
        if let Some(with) = ctx.with.get() {
            let labels = [&*with.replica().name, end.as_str()];
            let failures = &self.shared.telemetry.traffic.upstream_errors;
            failures.with_label_values(&labels).inc();
        }
    }
}

/// The pause that an answer asks for, when it does so in seconds. A date would need our clocks to agree.
fn retry_after(response: &ResponseHeader) -> Option<Duration> {
    let value = response.headers.get(header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Where a request goes, and under which deadlines; `None` while the replica's name is not resolved.
fn peer(pool: &Pool, replica: &Replica, fresh: bool) -> Option<HttpPeer> {
    let timeouts = &pool.settings.timeouts;
    let mut peer = HttpPeer::new(replica.address()?, replica.tls, replica.host.clone());
    let options = &mut peer.options;
    options.connection_timeout = Some(timeouts.connect);
    options.total_connection_timeout = Some(timeouts.connect);
    options.idle_timeout = Some(timeouts.keepalive);
    if replica.tls {
        // Over TLS the stream is Pingora's own: one limit for every read.
        options.read_timeout = Some(timeouts.first_byte.max(timeouts.idle));
    } else {
        options.alpn = wire::alpn(timeouts, replica);
    }
    // A connection keeps the deadlines that it was made with, so those with others are not shared.
    peer.group_key = pool.connection_group();
    if fresh {
        peer.group_key = FRESH.fetch_add(1, Relaxed);
        peer.options.idle_timeout = Some(Duration::ZERO);
    }
    Some(peer)
}
