//! Who is given a place in which state, and who waits for it.

use std::time::Duration;

use record::ReplicaState;
use tokio::time::timeout;

use super::*;
use crate::clock;
use crate::fleet::pool::tests::settings;
use crate::replicas::Event;
use crate::room::Called;
use crate::routed::Routed;
use crate::settings::PoolSettings;

const THREE: [&str; 3] = ["http://10.0.0.1:1", "http://10.0.0.2:1", "http://10.0.0.3:1"];

fn pool_of(settings: &PoolSettings) -> Pool {
    let pool = Pool::new(settings, None).unwrap();
    pool.enact();
    pool
}

fn pool(urls: &[&str]) -> Pool {
    pool_of(&settings("default", urls))
}

fn host(with: Option<WithReplica>) -> Option<String> {
    with.map(|with| with.replica().host.clone())
}

fn fail(replica: &Replica, times: u32, now: Instant) {
    for _ in 0..times {
        replica.request_failed(false, now);
    }
}

#[test]
fn replicas_take_turns() {
    let (pool, now) = (pool(&THREE), clock::now());
    let chosen: Vec<_> = (0..6).map(|_| host(admit(&pool, &[], now)).unwrap()).collect();
    assert_eq!(
        chosen,
        [
            "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.3"
        ]
    );
}

#[test]
fn a_replica_that_was_tried_or_is_away_or_unresolved_is_passed_over() {
    let now = clock::now();
    let pool = pool(&["http://10.0.0.1:1", "http://10.0.0.2:1", "http://name.invalid:1"]);
    pool.replicas[0].unreachable(Event::Refused, now);
    for _ in 0..4 {
        assert_eq!(host(admit(&pool, &[], now)).unwrap(), "10.0.0.2");
    }
    let tried = ["10.0.0.2:1".into()];
    assert!(!pool.has_other(&tried) && pool.has_other(&[]));
    assert_eq!(
        host(admit(&pool, &tried, now)).as_deref(),
        Some("10.0.0.2"),
        "better the same again than none"
    );
    pool.replicas[0].learn(Event::ProbePassed, now);
    assert_eq!(pool.replicas[0].state(), ReplicaState::Up);
    assert_eq!(host(admit(&pool, &tried, now)).as_deref(), Some("10.0.0.1"));
}

#[test]
fn a_pause_is_kept_while_another_replica_has_a_place() {
    let (pool, now) = (pool(&THREE[..2]), clock::now());
    pool.replicas[0].pause(Duration::from_secs(5), now);
    for _ in 0..3 {
        assert_eq!(host(admit(&pool, &[], now)).as_deref(), Some("10.0.0.2"));
    }
    pool.replicas[1].unreachable(Event::Refused, now);
    assert_eq!(host(admit(&pool, &[], now)).as_deref(), Some("10.0.0.1"));
}

#[test]
fn when_most_are_out_the_reachable_ones_take_requests() {
    let (pool, now) = (pool(&THREE), clock::now());
    fail(&pool.replicas[0], 5, now);
    assert_eq!(pool.replicas[0].state(), ReplicaState::Ejected);
    for _ in 0..6 {
        assert_ne!(host(admit(&pool, &[], now)).as_deref(), Some("10.0.0.1"));
    }
    pool.replicas[1].unreachable(Event::Refused, now);
    let mut hosts: Vec<_> = (0..6).map(|_| host(admit(&pool, &[], now)).unwrap()).collect();
    hosts.sort();
    hosts.dedup();
    assert_eq!(
        hosts,
        ["10.0.0.1", "10.0.0.3"],
        "two of three are out: the ejected one is in doubt, the unreachable one is not"
    );
    fail(&pool.replicas[2], 5, now);
    assert!(admit(&pool, &[], now).is_some(), "all are out");
}

#[test]
fn a_half_open_replica_gets_one_request_until_that_is_answered() {
    let (pool, now) = (pool(&THREE), clock::now());
    fail(&pool.replicas[0], 5, now);
    pool.replicas[0].tick(now + Duration::from_secs(10));
    let held: Vec<_> = (0..9).map(|_| admit(&pool, &[], now).unwrap()).collect();
    let trials = held
        .iter()
        .filter(|with| with.replica().host == "10.0.0.1")
        .count();
    assert_eq!(trials, 1);
    drop(held);
    assert_eq!(
        pool.replicas[0].standing(),
        Standing::Trial,
        "the client left before an answer: the next one tries"
    );
    let mut with = loop {
        let with = admit(&pool, &[], now).unwrap();
        if with.replica().host == "10.0.0.1" {
            break with;
        }
    };
    with.answered(true, now);
    assert_eq!(pool.replicas[0].state(), ReplicaState::Up);
}

#[test]
fn limits_of_replicas_and_of_the_pool_hold_and_guards_release_once() {
    let mut limited = settings("default", &THREE[..2]);
    limited.replicas[0].max_in_flight = Some(1);
    limited.max_in_flight = Some(3);
    let (pool, now) = (pool_of(&limited), clock::now());
    let held: Vec<_> = (0..5).map(|_| admit(&pool, &[], now)).collect();
    let given: Vec<_> = held
        .iter()
        .flatten()
        .map(|with| with.replica().host.clone())
        .collect();
    assert_eq!(given, ["10.0.0.1", "10.0.0.2", "10.0.0.2"]);
    assert_eq!((pool.in_flight(), pool.replicas[1].in_flight()), (3, 2));
    assert!(pool.is_worth_waiting_for(now), "full, not gone");
    drop(held);
    assert_eq!((pool.in_flight(), pool.replicas[1].in_flight()), (0, 0));
}

#[tokio::test]
async fn a_place_that_becomes_free_goes_to_the_next_that_waits() {
    let mut limited = settings("default", &THREE[..1]);
    limited.replicas[0].max_in_flight = Some(1);
    let (pool, now) = (pool_of(&limited), clock::now());
    let first = admit(&pool, &[], now).unwrap();
    assert!(admit(&pool, &[], now).is_none());
    let (mut second, mut third) = (pool.join(1).unwrap(), pool.join(1).unwrap());
    assert_eq!(pool.waiting(), 2);
    drop(first);
    assert!(admit(&pool, &[], now).is_none(), "nobody overtakes");
    let call = timeout(Duration::from_secs(5), second.called()).await.unwrap();
    let Called::In(with) = call else {
        panic!("{call:?}")
    };
    assert_eq!((pool.waiting(), pool.in_flight()), (1, 1));
    drop(with);
    drop(timeout(Duration::from_secs(5), third.called()).await.unwrap());
    assert_eq!(
        (pool.waiting(), pool.in_flight(), pool.replicas[0].in_flight()),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_replica_that_comes_back_takes_those_who_wait() {
    let (pool, now) = (pool(&THREE[..1]), clock::now());
    assert!(pool.is_worth_waiting_for(now), "not probed yet: takes requests");
    pool.replicas[0].unreachable(Event::Refused, now);
    assert!(!pool.is_worth_waiting_for(now), "it was never there");
    pool.replicas[0].learn(Event::ProbePassed, now);
    pool.replicas[0].unreachable(Event::Refused, now);
    assert!(pool.is_worth_waiting_for(now));
    let mut waiting: Vec<_> = (0..5).map(|key| pool.join(key).unwrap()).collect();
    pool.fill(&pool.replicas[0]);
    assert_eq!(pool.waiting(), 5, "still away");
    pool.replicas[0].learn(Event::ProbePassed, now);
    pool.fill(&pool.replicas[0]);
    assert_eq!((pool.waiting(), pool.in_flight()), (0, 5));
    for place in &mut waiting {
        assert!(matches!(place.called().await, Called::In(_)));
    }
    assert_eq!(pool.in_flight(), 0);
}

/// A place as a request without a prompt gets it.
fn admit(pool: &Pool, tried: &[Name], now: Instant) -> Option<WithReplica> {
    pool.admit(&mut Routed::default(), tried, now)
}
