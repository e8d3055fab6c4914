//! The ops port: `/healthz`, `/readyz`, `/metrics` of this process. Not for clients.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use http::{Response, StatusCode, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Value, json};

use crate::shared::Shared;

/// The service behind the ops port.
#[derive(Debug)]
pub(super) struct Ops(pub(super) Arc<Shared>);

#[async_trait]
impl ServeHttp for Ops {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        match session.req_header().uri.path() {
            "/metrics" => answer(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                self.0.exposition(),
            ),
            "/healthz" => {
                let (status, health) = self.health();
                answer(status, "application/json", health.to_string())
            }
            "/readyz" => {
                // Not while it drains, and not before a replica has answered a probe.
                let ready = !self.0.draining.load(Relaxed) && self.0.fleet.is_served();
                let status = if ready {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                answer(status, "application/json", json!({"ready": ready}).to_string())
            }
            _ => {
                let message = "served here: /healthz, /readyz, /metrics";
                let error = json!({"error": {"code": "not_found", "message": message}});
                answer(StatusCode::NOT_FOUND, "application/json", error.to_string())
            }
        }
    }
}

// === impl Ops ===

impl Ops {
    /// The process serves as long as this answers; `degraded` when records cannot be written, or not in time.
    fn health(&self) -> (StatusCode, Value) {
        let shared = &self.0;
        let ledger = shared.ledger_pulse();
        let health = json!({
            "status": if ledger.degraded { "degraded" } else { "ok" },
            "instance": &*shared.settings().instance,
            "in_flight": shared.in_flight.load(Relaxed),
            "connections": shared.connections.load(Relaxed),
            "ledger": ledger,
        });
        (StatusCode::OK, health)
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let length = response.body().len();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    response
}
