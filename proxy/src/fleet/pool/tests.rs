//! What a pool keeps from one configuration to the next.

use std::time::Duration;

use record::{Policy, ReplicaState};

use super::*;
use crate::clock;
use crate::replicas::Event;
use crate::settings::{HealthSettings, QueueSettings, ReplicaSettings, RetrySettings, UsageMode};

/// A pool's settings with these replicas.
pub(crate) fn settings(name: &str, urls: &[&str]) -> PoolSettings {
    let replica = |url: &&str| ReplicaSettings {
        url: (*url).to_owned(),
        address: None,
        weight: 1,
        max_in_flight: None,
        drain: false,
    };
    PoolSettings {
        name: name.into(),
        models: Vec::new(),
        aliases: Vec::new(),
        balance: Policy::RoundRobin,
        replicas: urls.iter().map(replica).collect(),
        discover: Vec::new(),
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(3600),
            keepalive: Duration::from_secs(4),
        },
        health: HealthSettings::default(),
        max_in_flight: None,
        queue: QueueSettings::default(),
        retries: RetrySettings::default(),
        usage: UsageMode::Inject,
        upstream_key: None,
    }
}

fn pool(urls: &[&str]) -> Pool {
    Pool::new(&settings("default", urls), None).unwrap()
}

#[test]
fn replicas_whose_url_stays_are_kept_with_all_that_is_known_of_them() {
    let before = pool(&["http://10.0.0.1:1", "http://10.0.0.2:1"]);
    before.replicas[0].learn(Event::ProbePassed, clock::now());
    let after = settings("default", &["http://10.0.0.3:1", "http://10.0.0.1:1"]);
    let after = Pool::new(&after, Some(&before)).unwrap();
    let states: Vec<_> = after
        .replicas
        .iter()
        .map(|replica| (replica.host.as_str(), replica.state()))
        .collect();
    assert_eq!(
        states,
        [
            ("10.0.0.3", ReplicaState::Unknown),
            ("10.0.0.1", ReplicaState::Up)
        ]
    );
    assert!(Arc::ptr_eq(&after.kept, &before.kept), "places and budget stay");
}
