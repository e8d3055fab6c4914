//! The events of `/api/v1/live`.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Moment, ReplicaStateWord};

/// What happens now, over all live proxies. Sent once a second as a server-sent event named `live`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Live {
    /// When this was put together.
    pub(crate) at: Moment,
    /// Proxies whose pulse is fresh.
    pub(crate) proxies_live: u64,
    /// Proxies whose pulse is stale.
    pub(crate) proxies_stale: u64,
    /// Requests that have begun and not ended; null when no proxy is live.
    #[schema(required)]
    pub(crate) in_flight: Option<u64>,
    /// Requests that wait for a replica; null when no proxy is live.
    #[schema(required)]
    pub(crate) waiting: Option<u64>,
    /// What flows.
    pub(crate) rates: RateSet,
    /// Every replica that a live proxy knows.
    pub(crate) replicas: Vec<LiveReplica>,
}

/// Rates over the last ten seconds, from the proxies' counters. Null until two pulses are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct RateSet {
    /// Requests that ended, per second.
    #[schema(required)]
    pub(crate) requests_per_second: Option<f64>,
    /// Failed requests that ended, per second.
    #[schema(required)]
    pub(crate) failures_per_second: Option<f64>,
    /// Exact completion tokens per second. A request's tokens are counted when it ends.
    #[schema(required)]
    pub(crate) tokens_per_second: Option<f64>,
    /// Exact prompt tokens per second. A request's tokens are counted when it ends.
    #[schema(required)]
    pub(crate) prompt_tokens_per_second: Option<f64>,
    /// Token events of streams per second, counted as they pass. One event may carry several tokens.
    #[schema(required)]
    pub(crate) token_events_per_second: Option<f64>,
}

/// One replica now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveReplica {
    /// Its name.
    pub(crate) replica: String,
    /// Its pool.
    pub(crate) pool: String,
    /// The worst state that a live proxy reports, in the order `down`, `ejected`, `half_open`, `draining`,
    /// `unknown`, `up`.
    pub(crate) state: ReplicaStateWord,
    /// Requests with it now, over all live proxies.
    pub(crate) in_flight: u64,
}
