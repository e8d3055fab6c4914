//! Attempts: which replica, over which connection, and what follows when that fails before the first byte of
//! the answer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pingora::ErrorSource;
use pingora::prelude::{Error, ErrorType, HttpPeer, Result, Session};
use record::UnixMillis;

use crate::clock;
use crate::fleet::Pool;
use crate::hooks::context::Ctx;
use crate::hooks::{Hooks, failure, wire};
use crate::replicas::{Replica, TRIES_MAX};

/// A request that is run twice must not cost a GPU twice: a reused connection that broke later than this
/// after the request was sent was not stale.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// Makes each fresh connection's pool key its own.
static FRESH: AtomicU64 = AtomicU64::new(1);

// === impl Hooks ===

impl Hooks {
    /// Chooses a replica for the next attempt.
    pub(super) fn choose(&self, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        // The replica of a failed attempt is no longer busy with this request.
        ctx.with = None;
        let pool = ctx.pool.as_ref();
        let Some((pool, replica)) = pool.and_then(|pool| Some((pool, pool.choose(&ctx.tried)?))) else {
            return Error::e_explain(ErrorType::HTTPStatus(503), "no replica takes requests");
        };
        let Some(peer) = peer(pool, &replica, ctx.fresh) else {
            return Error::e_explain(ErrorType::HTTPStatus(503), "the replica's name is not resolved");
        };
        let now = clock::now();
        ctx.tracked.admitted.get_or_insert(now);
        ctx.tracked.attempts = ctx.tracked.attempts.saturating_add(1);
        ctx.tracked.replica = Some((replica.name.clone(), now));
        ctx.tracked.connect = None;
        ctx.tracked.sent = None;
        ctx.body.rewind();
        ctx.with = Some(replica.take());
        Ok(Box::new(peer))
    }

    /// No connection: the replica is out at once, and another one is tried.
    pub(super) fn connection_failed(&self, ctx: &mut Ctx, mut error: Box<Error>) -> Box<Error> {
        let Some(with) = &ctx.with else { return error };
        let replica = with.replica();
        replica.failed();
        let kind = failure::kind(&error, false);
        self.shared
            .telemetry
            .traffic
            .upstream_errors
            .with_label_values(&[&replica.name, kind])
            .inc();
        if replica.unreachable(UnixMillis(clock::wall().0)) {
            tracing::warn!(replica = %replica.name, "replica {} is out: {kind}", replica.name);
        }
        ctx.tried.push(replica.name.clone());
        let other = ctx.pool.as_ref().is_some_and(|pool| pool.has_other(&ctx.tried));
        let again = ctx.tracked.attempts < TRIES_MAX && other;
        if again {
            self.shared
                .telemetry
                .traffic
                .retries
                .with_label_values(&[&replica.name, kind])
                .inc();
        }
        error.set_retry(again);
        error
    }

    /// A connection broke. Only a pooled one that was stale is tried again, on a fresh connection to any
    /// replica.
    pub(super) fn attempt_failed(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        mut error: Box<Error>,
        client_reused: bool,
    ) -> Box<Error> {
        let upstream = *error.esource() == ErrorSource::Upstream;
        let broke = matches!(
            error.etype(),
            ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed
        ) && failure::deadline(&error).is_none();
        let early = ctx
            .tracked
            .sent
            .is_none_or(|sent| clock::now().saturating_duration_since(sent) < STALE_AFTER);
        let stale = upstream && broke && client_reused && early && session.response_written().is_none();
        let replayable = !session.as_downstream().retry_buffer_truncated();
        let again = stale && replayable && ctx.tracked.attempts < TRIES_MAX;
        if upstream && let Some(with) = &ctx.with {
            let replica = with.replica();
            if again {
                self.shared
                    .telemetry
                    .traffic
                    .retries
                    .with_label_values(&[&replica.name, "stale_connection"])
                    .inc();
            } else {
                replica.failed();
                let kind = failure::kind(&error, session.response_written().is_some());
                self.shared
                    .telemetry
                    .traffic
                    .upstream_errors
                    .with_label_values(&[&replica.name, kind])
                    .inc();
            }
        }
        ctx.fresh |= again;
        error.set_retry(again);
        error
    }
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
        options.alpn = wire::alpn(timeouts);
    }
    // A connection keeps the deadlines that it was made with, so those with others are not shared.
    peer.group_key = pool.connection_group();
    if fresh {
        peer.group_key = FRESH.fetch_add(1, Relaxed);
        peer.options.idle_timeout = Some(Duration::ZERO);
    }
    Some(peer)
}
