//! The handlers, one file per noun, and the document that describes them.
//!
//! A handler reads parameters, asks the ledger, and shapes the answer. What stands around all of them (token,
//! headers, compression) is the router's.

mod figures;
mod fleet;
mod requests;
mod service;

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ErrorEnvelope;
use crate::state::AppState;

/// The document's head; the paths come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "streamgauge metrics API",
        description = "What streamgauge measured. Spans are numbers of milliseconds (`*_ms`), moments are \
                       RFC 3339 in UTC, and null is unknown, never zero. Definitions of the figures: \
                       docs/metrics.md. Every error is one envelope: `{\"error\": {\"code\", \"message\"}}`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorEnvelope)),
    modifiers(&Token),
    tags(
        (name = "figures", description = "Figures of a window."),
        (name = "requests", description = "Single requests."),
        (name = "fleet", description = "Proxies and replicas."),
        (name = "service", description = "For Prometheus and for probes; not under `/api`.")
    )
)]
struct Document;

/// Documents the token: needed when one is configured, so that each path can do with or without.
struct Token;

/// Every handler that stands in the OpenAPI document, under its path.
pub(crate) fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(figures::summary))
        .routes(routes!(figures::timeseries))
        .routes(routes!(figures::breakdown))
        .routes(routes!(requests::requests))
        .routes(routes!(requests::request))
        .routes(routes!(fleet::replicas))
        .routes(routes!(fleet::facets))
        .routes(routes!(fleet::about))
        .routes(routes!(service::live))
        .routes(routes!(service::metrics))
        .routes(routes!(service::healthz))
        .routes(routes!(service::readyz))
}

// === impl Token ===

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [
            ("bearer", HttpAuthScheme::Bearer),
            ("basic", HttpAuthScheme::Basic),
        ] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
        document.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("bearer", [""; 0]),
            SecurityRequirement::new("basic", [""; 0]),
        ]);
    }
}
