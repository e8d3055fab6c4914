//! The pulse: what a live proxy says about itself once a second, through the ledger.

use serde::{Deserialize, Serialize};

use crate::labels::labels;
use crate::{Name, UnixMillis};
use std::collections::BTreeMap;

/// One row per instance, overwritten once a second.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Pulse {
    /// Which proxy process speaks: configured, else the host's name and the port.
    pub instance: Name,
    /// The version of the binary.
    pub version: String,
    /// When the process started.
    pub started_at: UnixMillis,
    /// When this pulse was made. Older than 15 s means stale.
    pub at: UnixMillis,
    /// Requests that have begun and not ended.
    pub in_flight: u64,
    /// Requests that wait for a replica.
    pub waiting: u64,
    /// Every replica that this proxy knows.
    pub replicas: Vec<ReplicaPulse>,
    /// How its records fare on their way to the ledger; `None` from a proxy that does not say so yet.
    #[serde(default)]
    pub ledger: Option<LedgerPulse>,
    /// The proxy's Prometheus registry: length-delimited protobuf `MetricFamily` messages.
    #[serde(skip)]
    pub families: Vec<u8>,
}

/// One replica as one proxy sees it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReplicaPulse {
    /// The replica's name in records and labels: `host:port`.
    pub replica: Name,
    /// Its pool.
    pub pool: Name,
    /// Whether it takes requests.
    pub state: ReplicaState,
    /// Requests of this proxy that are with the replica now.
    pub in_flight: u64,
    /// Models it serves, as far as known.
    pub models: Vec<Name>,
    /// When the state last changed; `None` before the first probe.
    pub changed_at: Option<UnixMillis>,
    /// Requests that this proxy has sent to it since it started.
    pub requests_total: u64,
    /// Attempts on it that failed since the proxy started.
    pub errors_total: u64,
}

/// The way from finished requests to the ledger. `finished == written + queued + the sum of dropped`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct LedgerPulse {
    /// Requests that ended since the process started.
    pub finished: u64,
    /// Records that are committed.
    pub written: u64,
    /// Records that wait.
    pub queued: u64,
    /// Records that were given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Transactions that failed and were tried again, by the word for the cause.
    pub errors: BTreeMap<String, u64>,
    /// Whether records are at risk now.
    pub degraded: bool,
    /// Why, as long as nothing can be written.
    pub trouble: Option<LedgerTrouble>,
    /// Age of the oldest record that waits; `None` when none does.
    pub lag_ms: Option<u64>,
    /// When a transaction was last committed; `None` before the first.
    pub last_write_at: Option<UnixMillis>,
    /// How long that took.
    pub last_write_ms: Option<u64>,
    /// Estimated bytes of the records that wait.
    pub backlog_bytes: u64,
    /// The bound on them, beyond which records are dropped.
    pub backlog_bytes_max: u64,
    /// Bytes of the ledger's file; `None` where it is no file or not open.
    pub file_bytes: Option<u64>,
    /// Bytes of its write-ahead log; `None` where there is none.
    pub wal_bytes: Option<u64>,
    /// When this process last began a scheduled backup that is whole; `None` before the first.
    pub last_backup_at: Option<UnixMillis>,
    /// Why the last attempt failed; `None` after a good one.
    pub backup_error: Option<String>,
}

/// Why nothing can be written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LedgerTrouble {
    /// One word: `busy`, `full`, `io`, `readonly`, `corrupt`, `open` or `other`.
    pub code: String,
    /// The chain of causes.
    pub message: String,
    /// Since when.
    pub since: UnixMillis,
}

labels! {
    /// Whether a replica takes requests.
    ReplicaState {
        /// Not probed yet: takes requests.
        Unknown = "unknown",
        /// Answers its probes.
        Up = "up",
        /// Reachable, but its requests failed: out for a time that doubles.
        Ejected = "ejected",
        /// Its ejection is over; one request tries it.
        HalfOpen = "half_open",
        /// Failed its last probes or connections.
        Down = "down",
        /// Takes no new requests by configuration.
        Draining = "draining",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_survives_json_without_its_families() {
        let pulse = Pulse {
            instance: "here".into(),
            version: "0.1.0".to_owned(),
            started_at: UnixMillis(1),
            at: UnixMillis(2),
            in_flight: 3,
            waiting: 0,
            replicas: vec![ReplicaPulse {
                replica: "127.0.0.1:9000".into(),
                pool: "default".into(),
                state: ReplicaState::Up,
                in_flight: 3,
                models: vec!["m".into()],
                changed_at: None,
                requests_total: 9,
                errors_total: 0,
            }],
            ledger: Some(LedgerPulse {
                dropped: BTreeMap::from([("overflow".to_owned(), 1)]),
                ..LedgerPulse::default()
            }),
            families: Vec::new(),
        };
        let text = serde_json::to_string(&pulse).unwrap();
        assert!(text.contains(r#""state":"up""#), "one word everywhere: {text}");
        assert_eq!(serde_json::from_str::<Pulse>(&text).unwrap(), pulse);
        let (before, _) = text.split_once(r#","ledger""#).unwrap();
        let old: Pulse = serde_json::from_str(&format!("{before}}}")).unwrap();
        assert_eq!(old.ledger, None, "a pulse of an older proxy is read too");
    }
}
