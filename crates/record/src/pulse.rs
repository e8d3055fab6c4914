//! The pulse: what a live proxy says about itself once a second, through the ledger.

use serde::{Deserialize, Serialize};

use crate::labels::labels;
use crate::{Name, UnixMillis};
use std::fmt;

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

labels! {
    /// Whether a replica takes requests.
    ReplicaState {
        /// Not probed yet: takes requests.
        Unknown = "unknown",
        /// Answers its probes.
        Up = "up",
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
            families: Vec::new(),
        };
        let text = serde_json::to_string(&pulse).unwrap();
        assert!(text.contains(r#""state":"up""#), "one word everywhere: {text}");
        assert_eq!(serde_json::from_str::<Pulse>(&text).unwrap(), pulse);
    }
}
