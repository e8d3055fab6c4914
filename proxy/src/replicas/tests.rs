//! What a replica is by its URL, and what probes and requests make of its state.

use super::*;

fn replica(url: &str) -> Result<Replica, UrlError> {
    Replica::new(&ReplicaSettings { url: url.to_owned() })
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
    let replica = Arc::new(replica("http://10.0.0.1:1").unwrap());
    let guards: Vec<_> = (0..5).map(|_| replica.take()).collect();
    assert_eq!(replica.in_flight(), 5);
    drop(guards);
    assert_eq!(replica.in_flight(), 0);
    let pulse = replica.pulse(&"default".into());
    assert_eq!(
        (pulse.requests_total, pulse.in_flight, pulse.changed_at),
        (5, 0, None)
    );
}
