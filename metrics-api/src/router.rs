//! The router: which path is answered by which handler, and what stands around all of them.

use std::any::Any;

use axum::Router;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::error::ApiError;
use crate::guard::guard;
use crate::routes::described;
use crate::settings::Settings;
use crate::state::AppState;
use crate::{assets, error};

/// Sent with every answer. The page needs inline styles, because its charts set sizes and colours on
/// elements.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // The default for answers that change; files set their own before this layer sees them.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The whole service over one ledger.
pub fn router(state: AppState) -> Router {
    let settings = std::sync::Arc::clone(&state.settings);
    let (router, document) = described().split_for_parts();
    let mut router = router
        .route("/api/openapi.json", get(move || async { axum::Json(document) }))
        .fallback(fallback)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(state.clone(), guard))
        .layer(cors(&settings))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(on_panic));
    for (name, value) in SECURITY_HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    router.with_state(state)
}

/// The OpenAPI document of [`router`], which is committed as `metrics-api/openapi.json`.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// Unknown paths: an error under `/api`, a file or the page elsewhere.
async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path == "/api" || path.starts_with("/api/") {
        let message = "no such path; /api/openapi.json lists all that there are".to_owned();
        return ApiError::NotFound(message).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return ApiError::MethodNotAllowed.into_response();
    }
    assets::serve(&uri, &headers)
}

fn cors(settings: &Settings) -> CorsLayer {
    // An origin that is no header value cannot be sent by a browser either.
    let origins = settings
        .cors_origins
        .iter()
        .filter_map(|origin| origin.parse().ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET])
        .allow_headers([header::AUTHORIZATION])
}

/// A bug of ours ends one request, not the service. The panic hook has logged it already.
fn on_panic(_: Box<dyn Any + Send>) -> Response {
    let body = error::ErrorEnvelope {
        error: error::ErrorBody {
            code: "internal",
            message: "something failed on the server; its log says what".to_owned(),
        },
    };
    (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(body)).into_response()
}
