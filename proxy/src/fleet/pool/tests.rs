//! Who is chosen in which state.

use std::time::Duration;

use record::{ReplicaState, UnixMillis};

use super::*;
use crate::settings::{HealthSettings, ReplicaSettings, UsageMode};

/// A pool's settings with these replicas.
pub(crate) fn settings(name: &str, urls: &[&str]) -> PoolSettings {
    let replica = |url: &&str| ReplicaSettings {
        url: (*url).to_owned(),
    };
    PoolSettings {
        name: name.into(),
        replicas: urls.iter().map(replica).collect(),
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(3600),
            keepalive: Duration::from_secs(4),
        },
        health: HealthSettings {
            path: "/health".to_owned(),
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            failures: 3,
        },
        usage: UsageMode::Inject,
        upstream_key: None,
    }
}

fn pool(urls: &[&str]) -> Pool {
    Pool::new(&settings("default", urls), None).unwrap()
}

const NOW: UnixMillis = UnixMillis(1_000);

#[test]
fn replicas_take_turns() {
    let pool = pool(&["http://10.0.0.1:1", "http://10.0.0.2:1", "http://10.0.0.3:1"]);
    let chosen: Vec<_> = (0..6).map(|_| pool.choose(&[]).unwrap().host.clone()).collect();
    assert_eq!(
        chosen,
        [
            "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.3"
        ]
    );
}

#[test]
fn a_replica_that_was_tried_or_is_down_or_unresolved_is_passed_over() {
    let pool = pool(&["http://10.0.0.1:1", "http://10.0.0.2:1", "http://name.invalid:1"]);
    assert!(pool.replicas[0].unreachable(NOW), "news the first time");
    assert!(!pool.replicas[0].unreachable(NOW), "not the second");
    assert!(
        pool.replicas[0].take_suspicion() && !pool.replicas[0].take_suspicion(),
        "asked once"
    );
    for _ in 0..4 {
        assert_eq!(pool.choose(&[]).unwrap().host, "10.0.0.2");
    }
    assert!(pool.choose(&["10.0.0.2:1".into()]).is_none());
    assert!(!pool.has_other(&["10.0.0.2:1".into()]) && pool.has_other(&[]));
    assert!(pool.replicas[0].probe_passed(NOW));
    assert_eq!(pool.replicas[0].state(), ReplicaState::Up);
    assert_eq!(pool.choose(&["10.0.0.2:1".into()]).unwrap().host, "10.0.0.1");
}
