//! What a replica is by its URL, and who is chosen in which state.

use super::*;

fn replica(url: &str) -> Result<Replica, UrlError> {
    Replica::new(&ReplicaSettings { url: url.to_owned() })
}

fn pool(urls: &[&str]) -> Pool {
    let replicas = urls.iter().map(|url| Arc::new(replica(url).unwrap())).collect();
    Pool {
        name: "default".into(),
        replicas,
        next: AtomicUsize::new(0),
    }
}

const NOW: UnixMillis = UnixMillis(1_000);

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
    assert!(!pool.is_served(), "nobody was probed");
    assert!(pool.replicas[0].probe_passed(NOW));
    assert!(pool.is_served());
    assert_eq!(pool.choose(&["10.0.0.2:1".into()]).unwrap().host, "10.0.0.1");
}

#[test]
fn probes_take_a_replica_out_only_after_their_limit() {
    let replica = replica("http://10.0.0.1:1").unwrap();
    assert!(!replica.probe_failed(3, NOW));
    assert!(!replica.probe_failed(3, NOW));
    assert_eq!(replica.state(), ReplicaState::Unknown);
    assert!(replica.probe_failed(3, NOW));
    assert_eq!(replica.state(), ReplicaState::Down);
    assert!(replica.probe_passed(NOW));
    assert!(!replica.probe_failed(3, NOW), "the count starts anew");
}

#[test]
fn in_flight_counts_every_guard_once() {
    let pool = pool(&["http://10.0.0.1:1"]);
    let replica = pool.choose(&[]).unwrap();
    let guards: Vec<_> = (0..5).map(|_| replica.take()).collect();
    assert_eq!(replica.in_flight(), 5);
    drop(guards);
    assert_eq!(replica.in_flight(), 0);
    let pulse = &pool.pulse()[0];
    assert_eq!(
        (pulse.requests_total, pulse.in_flight, pulse.changed_at),
        (5, 0, None)
    );
}
