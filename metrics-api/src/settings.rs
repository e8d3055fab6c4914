//! What the metrics API is told at start: plain values, already checked.

use std::net::SocketAddr;

/// All settings of one metrics-api process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where the API, the dashboard and `/metrics` listen.
    pub listen: SocketAddr,
    /// The ledger to read: `sqlite:///path/file.db`.
    pub ledger: String,
    /// Origins that browsers may call from; empty allows the page's own only.
    pub cors_origins: Vec<String>,
    /// When set, every request but `/healthz` and `/readyz` needs `Authorization: Bearer <token>`.
    pub token: Option<String>,
    /// The public address of the proxy, for the curl line that an empty dashboard shows.
    pub proxy_url: String,
}
