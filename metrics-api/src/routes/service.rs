//! `/metrics`, `/api/v1/live`, `/healthz` and `/readyz`.

use std::convert::Infallible;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;

use crate::error::{ApiError, ErrorEnvelope};
use crate::exposition;
use crate::model::Live;
use crate::params::Params;
use crate::state::AppState;

/// Prometheus metrics of every live proxy
///
/// Text format 0.0.4. Each series has the label `proxy`. A proxy whose pulse is older than 15 s is left out.
#[utoipa::path(get, path = "/metrics", tag = "service", operation_id = "metrics",
    responses((status = OK, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let pulses = match state.reader.pulses().await {
        Ok(pulses) => Some(pulses),
        Err(error) => {
            tracing::warn!(%error, "cannot read the pulses for a scrape");
            None
        }
    };
    match exposition::text(pulses.as_deref(), state.now()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics as text");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written; the log says why\n",
            )
                .into_response()
        }
    }
}

/// What happens now
///
/// Server-sent events named `live`, once a second, each with one `Live` object as its data. Rates are null in
/// the first event after nobody watched. When no event comes for some seconds, the ledger cannot be read.
#[utoipa::path(get, path = "/api/v1/live", tag = "fleet", operation_id = "live",
    responses((status = OK, body = Live, content_type = "text/event-stream"),
        (status = BAD_REQUEST, body = ErrorEnvelope), (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn live(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    Params::parse(raw.as_deref()).finish()?;
    let events = WatchStream::new(state.feed.watch())
        .filter_map(async |live| Event::default().event("live").json_data(live?).ok())
        .map(Ok)
        .take_until(state.stopped());
    Ok(Sse::new(events))
}

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", tag = "service", operation_id = "healthz",
    responses((status = OK, body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the ledger can be read
#[utoipa::path(get, path = "/readyz", tag = "service", operation_id = "readyz",
    responses((status = OK, body = String, content_type = "text/plain"),
        (status = SERVICE_UNAVAILABLE, body = String, content_type = "text/plain")))]
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    if state.reader.ready().await {
        return "ready\n".into_response();
    }
    let reason = "the ledger cannot be read; it is made when the first proxy starts\n";
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}
