//! Replicas, proxies, filter values, and what the service says about itself.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Figures, Moment, ReplicaStateWord};

/// Every replica and proxy that is known, live or not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replicas {
    /// Start of the window that `figures` cover, included.
    pub(crate) from: Moment,
    /// End of the window that `figures` cover, not included.
    pub(crate) to: Moment,
    /// A pulse older than this is stale: its proxy is gone or cannot write.
    pub(crate) stale_after_ms: u64,
    /// One row per proxy that has written a pulse.
    pub(crate) proxies: Vec<ProxyRow>,
    /// One row per replica: those of the pulses, and those that had requests in the window.
    pub(crate) replicas: Vec<ReplicaRow>,
}

/// One proxy process, as its last pulse describes it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProxyRow {
    /// Its name.
    pub(crate) instance: String,
    /// Its version.
    pub(crate) version: String,
    /// When it started.
    pub(crate) started_at: Moment,
    /// When it last wrote a pulse.
    pub(crate) at: Moment,
    /// Age of that pulse.
    pub(crate) age_ms: u64,
    /// Whether the pulse is too old to speak for the present.
    pub(crate) stale: bool,
    /// Requests that had begun and not ended at `at`.
    pub(crate) in_flight: u64,
    /// Requests that waited for a replica at `at`.
    pub(crate) waiting: u64,
    /// How its records fared on their way to the ledger at `at`; null from a version that did not say.
    #[schema(required)]
    pub(crate) ledger: Option<LedgerRow>,
}

/// The way of a proxy's records to the ledger. `finished` is `written` + `queued` + `dropped`, since the
/// proxy started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerRow {
    /// Requests that ended.
    pub(crate) finished: u64,
    /// Records that are in the ledger.
    pub(crate) written: u64,
    /// Records that waited.
    pub(crate) queued: u64,
    /// Records that were given up.
    pub(crate) dropped: u64,
    /// Transactions that failed and were tried again.
    pub(crate) errors: u64,
    /// Whether records were at risk.
    pub(crate) degraded: bool,
    /// Age of the oldest record that waited; null when none did.
    #[schema(required)]
    pub(crate) lag_ms: Option<u64>,
    /// Share of the memory for waiting records that was taken, from 0 to 1; beyond it rows are dropped.
    pub(crate) backlog: f64,
    /// When a transaction was last committed before this pulse; null before the first.
    #[schema(required)]
    pub(crate) last_write_at: Option<Moment>,
    /// Bytes of the ledger's file; null where it is no file.
    #[schema(required)]
    pub(crate) file_bytes: Option<u64>,
    /// Bytes of its write-ahead log; null where there is none.
    #[schema(required)]
    pub(crate) wal_bytes: Option<u64>,
    /// When the proxy last began a scheduled backup that is whole; null before the first.
    #[schema(required)]
    pub(crate) last_backup_at: Option<Moment>,
    /// Whether its last attempt at a backup failed.
    pub(crate) backup_failed: bool,
}

/// One replica, as all proxies together see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplicaRow {
    /// Its name in records and labels: `host:port`.
    pub(crate) replica: String,
    /// Its pool; null when only old records name the replica.
    #[schema(required)]
    pub(crate) pool: Option<String>,
    /// The worst state that a live proxy reports, in the order `down`, `ejected`, `half_open`, `draining`,
    /// `unknown`, `up`; null when no live proxy knows the replica.
    #[schema(required)]
    pub(crate) state: Option<ReplicaStateWord>,
    /// Requests with it now, over all live proxies; null when no live proxy knows the replica.
    #[schema(required)]
    pub(crate) in_flight: Option<u64>,
    /// Models it serves, as far as live proxies know.
    pub(crate) models: Vec<String>,
    /// What each proxy says about it.
    pub(crate) views: Vec<ReplicaView>,
    /// Its requests in the window. A request belongs to the replica of its last attempt.
    pub(crate) figures: Figures,
}

/// One replica, as one proxy sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplicaView {
    /// The proxy.
    pub(crate) instance: String,
    /// Whether that proxy's pulse is too old to speak for the present.
    pub(crate) stale: bool,
    /// Whether the replica takes requests.
    pub(crate) state: ReplicaStateWord,
    /// When the state last changed; null before the first probe.
    #[schema(required)]
    pub(crate) changed_at: Option<Moment>,
    /// Requests of that proxy that were with it.
    pub(crate) in_flight: u64,
    /// Requests that the proxy has sent to it since the proxy started.
    pub(crate) requests_total: u64,
    /// Attempts on it that failed since the proxy started.
    pub(crate) errors_total: u64,
}

/// The values that occur in a window: what the filters can be set to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Facets {
    /// Start of the window, included.
    pub(crate) from: Moment,
    /// End of the window, not included.
    pub(crate) to: Moment,
    /// Models, sorted.
    pub(crate) model: Vec<String>,
    /// Pools, sorted.
    pub(crate) pool: Vec<String>,
    /// Replicas, sorted.
    pub(crate) replica: Vec<String>,
    /// Endpoints.
    pub(crate) endpoint: Vec<String>,
    /// Outcomes.
    pub(crate) outcome: Vec<String>,
    /// API keys, as hashes or configured aliases, the busiest first, at most 500.
    pub(crate) key: Vec<String>,
    /// End users, as hashes unless configured to be plain, the busiest first, at most 500.
    pub(crate) user: Vec<String>,
}

/// What the service says about itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct About {
    /// Version of streamgauge.
    pub(crate) version: &'static str,
    /// The server's time, for pages on machines whose clock is off.
    pub(crate) now: Moment,
    /// The address that clients send their requests to, without a path.
    pub(crate) proxy_url: String,
    /// Whether the ledger can be read; false before the first proxy has started.
    pub(crate) ready: bool,
}
