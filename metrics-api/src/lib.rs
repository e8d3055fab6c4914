//! The metrics API: what streamgauge measured, over HTTP.
//!
//! One axum service answers the JSON API under `/api/v1`, the Prometheus endpoint `/metrics` for every live
//! proxy, server-sent events, and the dashboard's files. It reads the ledger and nothing else: it never talks
//! to a proxy. Definitions of the figures stand in `docs/metrics.md`, the interface in `docs/api.md`.

mod assets;
mod clock;
mod error;
mod exposition;
mod guard;
mod live;
mod model;
mod params;
mod rates;
mod router;
mod routes;
mod serve;
mod settings;
mod state;

pub use clock::Clock;
pub use router::{openapi, router};
pub use serve::{run, serve};
pub use settings::Settings;
pub use state::AppState;
