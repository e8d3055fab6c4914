//! `/api/v1/requests` and `/api/v1/requests/{id}`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use ledger::{PAGE_LIMIT_MAX, Page};

use crate::error::{ApiError, ErrorEnvelope};
use crate::model::{RequestRecord, RequestsPage};
use crate::params::{FilterParams, PageParams, Params, WindowParams, Windowed};
use crate::state::AppState;

const PAGE_LIMIT_DEFAULT: usize = 50;

/// Requests, newest first
///
/// One page. The next one is asked for with `cursor` set to `next`, and everything else as before. With a
/// `to` that moves (`now`), later pages are the same: the cursor points behind the last request of this page.
#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", operation_id = "requests",
    params(PageParams, WindowParams, FilterParams),
    responses((status = OK, body = RequestsPage), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn requests(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<RequestsPage>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let limit = params
        .limit("limit", PAGE_LIMIT_MAX)?
        .unwrap_or(PAGE_LIMIT_DEFAULT);
    let cursor = params.one("cursor")?;
    let Windowed { query, .. } = params.windowed(state.now())?;
    params.finish()?;
    let page = state.reader.requests(&query, &Page { limit, cursor }).await?;
    Ok(Json(RequestsPage {
        requests: page.records.iter().map(RequestRecord::from).collect(),
        next: page.next,
    }))
}

/// One request
///
/// By its id. When a client has used one id for several requests, the newest is answered.
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "requests", operation_id = "request",
    params(("id" = String, Path, description = "The request id, as `x-request-id` returned it.")),
    responses((status = OK, body = RequestRecord), (status = NOT_FOUND, body = ErrorEnvelope),
        (status = BAD_REQUEST, body = ErrorEnvelope), (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn request(
    State(state): State<AppState>,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<RequestRecord>, ApiError> {
    Params::parse(raw.as_deref()).finish()?;
    match state.reader.request(&id).await? {
        Some(record) => Ok(Json(RequestRecord::from(&record))),
        None => Err(ApiError::NotFound(
            "no request with this id; it may be older than the ledger keeps requests, or not have ended yet"
                .to_owned(),
        )),
    }
}
