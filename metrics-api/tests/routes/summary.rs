//! `GET /api/v1/summary`.

use serde_json::Value;

use crate::{Service, records};

/// Percentiles come from sketches that are right to 1 %: each is checked, then replaced by what it should be.
fn assert_near(figures: &mut Value, name: &str, expected: [f64; 4]) {
    for (percentile, expected) in ["p50", "p90", "p95", "p99"].into_iter().zip(expected) {
        let found = figures[name][percentile].as_f64().unwrap();
        assert!(
            (found / expected - 1.0).abs() <= 0.011,
            "{name} {percentile}: {found}, not {expected}"
        );
        figures[name][percentile] = Value::from(expected);
    }
}

#[tokio::test]
async fn the_figures_of_a_window() {
    let service = Service::filled().await;
    let answer = service.get("/api/v1/summary").await;
    let mut body = answer.json();
    assert_near(&mut body, "ttft_ms", [200.0, 300.0, 300.0, 300.0]);
    assert_near(&mut body, "itl_ms", [20.0; 4]);
    assert_near(&mut body, "tpot_ms", [10.0; 4]);
    assert_near(&mut body, "e2e_ms", [301.0, 1_000.0, 1_000.0, 1_000.0]);
    for name in ["queue_ms", "overhead_ms"] {
        for percentile in ["p50", "p90", "p95", "p99"] {
            assert!(body[name][percentile].is_number(), "{name} {percentile} is known");
            body[name][percentile] = Value::from("a number");
        }
    }
    insta::assert_snapshot!(format!("{}\n{body:#}", answer.status));
}

#[tokio::test]
async fn filters_narrow_it_and_several_values_are_alternatives() {
    let service = Service::filled().await;
    let count = async |filter: &str| {
        let body = service.get(&format!("/api/v1/summary?{filter}")).await.json();
        body["requests"].as_u64().unwrap()
    };
    for (filter, requests) in [
        ("model=llama-70b", 4),
        ("model=llama-8b", 1),
        ("model=llama-8b&model=llama-70b", 5),
        ("model=llama-70b&replica=10.0.0.2:8000", 2),
        ("pool=default", 5),
        ("outcome=success", 3),
        ("outcome=upstream_error&outcome=client_error", 2),
        ("endpoint=other", 1),
        ("stream=true", 4),
        ("stream=false", 1),
        ("key=team-blue", 4),
        ("user=nobody", 0),
        ("from=now-150s", 3),
        ("from=2026-11-23T08:57:54Z&to=2026-11-23T08:58:54Z", 1),
    ] {
        assert_eq!(count(filter).await, requests, "{filter}");
    }
}

#[tokio::test]
async fn nothing_known_is_null_and_not_zero() {
    let service = Service::new();
    let before = service.get("/api/v1/summary").await;
    insta::assert_snapshot!(before.shown());
    service.store(&[], &records::pulses()).await;
    let empty = service.get("/api/v1/summary").await;
    assert_eq!(
        empty.shown(),
        before.shown(),
        "an empty ledger and none look alike here"
    );
}

#[tokio::test]
async fn mistakes_are_named() {
    let service = Service::new();
    for query in ["from=yesterday", "modle=x", "to=2026-11-23T00:00:00Z&from=now"] {
        insta::assert_snapshot!(service.get(&format!("/api/v1/summary?{query}")).await.shown());
    }
}
