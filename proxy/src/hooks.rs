//! The data path on Pingora: the only folder that knows its types.
//!
//! The order of hooks for one request: `new_ctx`, `request_filter` (allow-list, body, facts), `upstream_peer`
//! (choice), `upstream_request_filter` and `request_body_filter` (towards the replica),
//! `upstream_response_filter`, `response_filter`, `response_body_filter` (each read: one instant, the
//! scanner, the untouched bytes), `logging`.

mod answer;
mod chunked;
mod context;
mod discover;
mod door;
mod failure;
mod headers;
mod inquiry;
mod listing;
mod ops;
mod peer;
mod probe;
mod rewind;
mod scrape;
mod serve;
mod stall;
mod upload;
mod vet;
mod waiting;
mod wire;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Version, header};
use observer::{End, Forward, Framing, ObservedBody, ObservedStream, StreamKind};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{Error, HttpPeer, Result, Session};
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext};
use record::{Dialect, Endpoint, Flags};

use crate::clock;
use crate::hooks::answer::Refusal;
use crate::hooks::context::{Arrival, Ctx};
use crate::routes::{self, Route};
use crate::shared::Shared;
use crate::tracked::Watched;

pub use serve::run;

/// The proxy as Pingora sees it.
#[derive(Debug)]
pub(crate) struct Hooks {
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl ProxyHttp for Hooks {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new(&self.shared)
    }

    /// Nothing: the default adds a compression module, and an answer is never compressed here.
    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {}

    /// The door tells what it did before there was a context (chunked uploads).
    fn on_connection_reuse(&self, _: &mut Session, ctx: &mut Ctx, told: Box<dyn Any + Send + Sync>) {
        if let Ok(arrival) = told.downcast::<Arrival>() {
            ctx.tracked.began_earlier(arrival.began);
            ctx.refused = arrival.refused;
        }
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        match self.admit(session, ctx).await? {
            Ok(()) if ctx.tracked.endpoint == Endpoint::Models => self.list_models(session, ctx).await,
            Ok(()) => Ok(false),
            Err(refusal) => {
                refusal.send(session, ctx).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        self.choose(session, ctx).await
    }

    fn fail_to_connect(&self, _: &mut Session, _: &HttpPeer, ctx: &mut Ctx, error: Box<Error>) -> Box<Error> {
        self.connection_failed(ctx, error)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Ctx,
        client_reused: bool,
    ) -> Box<Error> {
        self.attempt_failed(session, ctx, error, client_reused)
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        reused: bool,
        _: &HttpPeer,
        #[cfg(unix)] _: std::os::unix::io::RawFd,
        _: Option<&pingora::protocols::Digest>,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let chosen = ctx.tracked.replica.as_ref().map(|(_, chosen)| *chosen);
        ctx.tracked.connect = Some(match chosen {
            Some(chosen) if !reused => clock::now().saturating_duration_since(chosen),
            _ => Duration::ZERO,
        });
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        headers::towards_replica(session, request, ctx)
    }

    /// Gives the replica the body that was read before it was chosen, with the usage option spliced in.
    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        *body = ctx.body.take_once();
        if end_of_stream {
            ctx.tracked.sent = Some(clock::now());
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if !response.status.is_informational() {
            self.refused_elsewhere(session, response, ctx)?;
            self.watch(response, ctx);
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        ctx.tracked.status = Some(response.status.as_u16());
        ctx.stall.begin(session);
        headers::towards_client(response, ctx)?;
        // HTTP/1.0 has no chunked coding: the end of the connection ends the body.
        // https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        if session.req_header().version == Version::HTTP_10 {
            response.remove_header(&header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        let arrived = clock::now();
        ctx.tracked.client_stall = ctx.stall.so_far(session);
        if let Some(bytes) = body
            && let Forward::Instead(other) = ctx.tracked.arrived(arrived, bytes)
        {
            *bytes = Bytes::from(other);
        }
        if end_of_stream {
            ctx.tracked.whole = true;
            let held = ctx.tracked.answer_finished();
            if !held.is_empty() {
                let before = body.take().unwrap_or_default();
                *body = Some([before.as_ref(), &held].concat().into());
            }
        }
        if let Some(bytes) = body {
            ctx.tracked.response_bytes += u64::try_from(bytes.len()).unwrap_or(0);
        }
        ctx.count_events(&self.shared, arrived);
        ctx.tracked.overhead += clock::now().saturating_duration_since(arrived);
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        self.failed(session, error, ctx).await
    }

    /// One line for each client that leaves would drown the log; the record and the metrics tell.
    fn suppress_error_log(&self, _: &Session, ctx: &Ctx, _: &Error) -> bool {
        ctx.tracked.has_ended()
    }

    /// An attempt that is made again is counted (`retries_total`, `upstream_errors_total`), not logged.
    fn suppress_proxy_warn_log(&self, _: &Session, _: &Ctx, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Ctx) {
        ctx.tracked.client_stall = ctx.stall.so_far(session);
        match error {
            None => {
                ctx.tracked.whole = true;
                let status = ctx
                    .tracked
                    .status
                    .or_else(|| Some(session.response_written()?.status.as_u16()));
                ctx.tracked.end(status.map_or(End::Abandoned, End::Answered));
            }
            // `fail_to_proxy` has said how it ended; an error that passed it by is a fault of ours.
            Some(_) => ctx.tracked.end(End::Abandoned),
        }
    }
}

// === impl Hooks ===

impl Hooks {
    /// Everything before a replica is chosen. `Err` inside `Ok`: we answer ourselves.
    async fn admit(&self, session: &mut Session, ctx: &mut Ctx) -> Result<std::result::Result<(), Refusal>> {
        session.set_write_timeout(Some(self.shared.settings().limits.write_deadline));
        headers::identify(session, &self.shared.identifier.load(), &mut ctx.tracked);
        let target = session.req_header().raw_path();
        let route = routes::route(target);
        if let Some(Route {
            endpoint,
            dialect,
            replay,
            ..
        }) = route
        {
            ctx.tracked.endpoint = endpoint;
            ctx.tracked.dialect = dialect;
            ctx.tracked.replay = replay;
        }
        let limits = self.shared.settings().limits;
        if let Some(refusal) = ctx.refused.take().map(|status| upload::refusal(status, &limits)) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = vet::vet(session.req_header()) {
            // Where the next request begins is not certain after such a head.
            session.set_keepalive(None);
            return Ok(Err(refusal));
        }
        let Some(route) = route else {
            return Ok(Err(Refusal::not_served(target)));
        };
        if session.req_header().method.as_str() != route.method.as_str() {
            return Ok(Err(Refusal::wrong_method(route.method)));
        }
        if ctx.over_in_flight_limit() {
            return Ok(Err(Refusal::busy()));
        }
        if let Err(refusal) = upload::read(session, ctx, &limits).await? {
            return Ok(Err(refusal));
        }
        let read = clock::now();
        ctx.tracked.uploaded = Some(read);
        let content_type = session.req_header().headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map_or(&b""[..], |value| value.as_bytes());
        let looked = upload::look(ctx, route.endpoint, content_type, &self.shared);
        if route.replay {
            ctx.tracked.facts.shape.stream = Some(routes::asks_for_stream(session.req_header().raw_path()));
        }
        ctx.tracked.overhead += clock::now().saturating_duration_since(read);
        Ok(looked)
    }

    /// Decides how the answer is read, by what its head says it is.
    fn watch(&self, response: &ResponseHeader, ctx: &mut Ctx) {
        let value = |name: header::HeaderName| {
            response
                .headers
                .get(name)
                .map_or(&b""[..], |value| value.as_bytes())
        };
        let coding = value(header::CONTENT_ENCODING);
        let media = headers::media_type(value(header::CONTENT_TYPE));
        let dialect = ctx.tracked.dialect;
        let framing = if media.eq_ignore_ascii_case(b"text/event-stream") {
            Some(Framing::Sse)
        } else if dialect == Dialect::Ollama && media.eq_ignore_ascii_case(b"application/x-ndjson") {
            Some(Framing::Lines)
        } else {
            None
        };
        let json = media.eq_ignore_ascii_case(b"application/json") && dialect != Dialect::Other;
        ctx.tracked.answer = if !(coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")) {
            ctx.tracked.flags.insert(Flags::COMPRESSED);
            Watched::Unread {
                first: None,
                last: None,
            }
        } else if let Some(framing) = framing {
            let kind = StreamKind {
                choices: ctx.tracked.facts.choices(),
                prompts: ctx.tracked.facts.prompts,
                strip: ctx.strip,
                replay: ctx.tracked.replay,
                ..StreamKind::new(dialect, framing)
            };
            Watched::Stream(Box::new(ObservedStream::new(kind)))
        } else if json {
            let body = if ctx.tracked.replay {
                ObservedBody::of_replay(dialect)
            } else {
                ObservedBody::new(dialect)
            };
            Watched::Body(Box::new(body))
        } else {
            if response.status.is_success() && dialect != Dialect::Other {
                self.shared.telemetry.traffic.answered_in_no_dialect();
            }
            Watched::Unread {
                first: None,
                last: None,
            }
        };
    }
}
