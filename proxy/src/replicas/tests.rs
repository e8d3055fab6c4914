//! What a replica is by its URL, and what probes and requests make of its state.

use super::*;

fn settings(url: &str) -> ReplicaSettings {
    ReplicaSettings {
        url: url.to_owned(),
        address: None,
        weight: 1,
        max_in_flight: None,
        drain: false,
    }
}

fn replica(url: &str) -> Result<Replica, UrlError> {
    Replica::new(&settings(url))
}

#[test]
fn urls_are_read_and_nonsense_is_refused_with_the_form() {
    let plain = replica("http://127.0.0.1:8000").unwrap();
    assert_eq!(
        (plain.name.as_ref(), plain.tls, plain.port),
        ("127.0.0.1:8000", false, 8000)
    );
    assert_eq!(
        plain.address(),
        Some("127.0.0.1:8000".parse().unwrap()),
        "an address needs no resolver"
    );
    let tls = replica("https://api.example.com/").unwrap();
    assert_eq!(
        (tls.name.as_ref(), tls.tls, tls.address()),
        ("api.example.com:443", true, None)
    );
    assert_eq!(
        replica("http://[::1]:9").unwrap().address(),
        Some("[::1]:9".parse().unwrap())
    );
    for url in [
        "10.0.0.1:8000",
        "ftp://x",
        "http://",
        "http://x:8000/v1",
        "http://x?y",
        "http://a@b",
        "http://x:",
        "x y",
    ] {
        let refusal = replica(url).unwrap_err().to_string();
        assert!(
            refusal.contains(url) && refusal.contains("http://10.0.0.1:8000"),
            "{refusal}"
        );
    }
}

#[test]
fn readers_without_a_lock_see_what_was_learnt() {
    let now = clock::now();
    let replica = replica("http://10.0.0.1:1").unwrap();
    assert_eq!(
        (replica.state(), replica.standing()),
        (ReplicaState::Unknown, Standing::Open)
    );
    for _ in 0..3 {
        replica.learn(Event::ProbeFailed, now);
    }
    assert_eq!(
        (replica.state(), replica.standing()),
        (ReplicaState::Down, Standing::Doubtful),
        "three failed probes are the default"
    );
    replica.learn(Event::ProbePassed, now);
    assert_eq!(replica.standing(), Standing::Open);
    replica.unreachable(Event::Refused, now);
    assert_eq!(replica.standing(), Standing::Gone);
    assert!(
        replica.take_suspicion() && !replica.take_suspicion(),
        "the prober is asked once"
    );
}

#[test]
fn failed_requests_eject_and_one_that_goes_well_brings_back() {
    let now = clock::now();
    let replica = replica("http://10.0.0.1:1").unwrap();
    replica.answered(false, now);
    for _ in 0..5 {
        assert_eq!(replica.standing(), Standing::Open);
        replica.request_failed(false, now);
    }
    assert_eq!(replica.state(), ReplicaState::Ejected);
    replica.tick(now);
    assert_eq!(replica.state(), ReplicaState::Ejected, "not before its time");
    replica.tick(now + Duration::from_secs(10));
    assert!(replica.take_trial() && !replica.take_trial());
    replica.answered(true, now);
    assert_eq!(
        (replica.state(), replica.standing()),
        (ReplicaState::Up, Standing::Open)
    );
}

#[test]
fn a_replica_is_waited_for_only_when_it_was_seen_well_not_long_ago() {
    let replica = replica("http://10.0.0.1:1").unwrap();
    let now = clock::now();
    assert!(!replica.is_expected(now), "never seen");
    replica.learn(Event::ProbePassed, now);
    replica.unreachable(Event::Refused, now);
    assert!(replica.is_expected(now + EXPECTED_FOR));
    assert!(!replica.is_expected(now + EXPECTED_FOR * 2));
}

#[test]
fn a_pause_ends_and_is_never_long() {
    let replica = replica("http://10.0.0.1:1").unwrap();
    let now = clock::now();
    assert!(!replica.is_paused(now));
    replica.pause(Duration::from_secs(2), now);
    assert!(replica.is_paused(now + Duration::from_secs(1)));
    assert!(!replica.is_paused(now + Duration::from_secs(2)));
    replica.pause(Duration::from_hours(1), now);
    assert!(!replica.is_paused(now + PAUSE_MAX));
}

#[test]
fn a_replica_counts_to_its_limit() {
    let replica = replica("http://10.0.0.1:1").unwrap();
    let own = ReplicaSettings {
        max_in_flight: Some(2),
        ..settings("http://127.0.0.1:1")
    };
    replica.settings(&HealthSettings::default(), &own);
    assert!(replica.count_in() && replica.count_in());
    assert!(!replica.count_in());
    replica.count_out();
    assert!(replica.count_in());
    let pulse = replica.pulse(&"default".into());
    assert_eq!(
        (pulse.requests_total, pulse.in_flight, pulse.changed_at),
        (3, 2, None)
    );
}
