//! `GET /metrics`.

use crate::{Service, records};

#[tokio::test]
async fn the_registries_of_live_proxies_under_their_names() {
    let service = Service::filled().await;
    let answer = service.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    assert_eq!(answer.header("cache-control"), "no-store");
    insta::assert_snapshot!(answer.shown().replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn counters_are_those_of_the_last_pulse() {
    let service = Service::filled().await;
    let mut pulse = records::pulses().remove(0);
    pulse.families = records::families(4_000_000_000);
    service.store(&[], &[pulse]).await;
    let text = service.get("/metrics").await.text;
    let series =
        "streamgauge_requests_total{model_name=\"llama-70b\",outcome=\"success\",proxy=\"edge-1:8001\"}";
    assert!(text.contains(&format!("{series} 4000000000\n")), "{text}");
}

#[tokio::test]
async fn without_a_ledger_there_is_still_an_answer() {
    let service = Service::new();
    let answer = service.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("streamgauge_api_build_info{version="),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("proxy="), "no proxy has ever been there");
}

#[tokio::test]
async fn a_ledger_that_is_none_is_told_and_its_cause_is_not() {
    let service = Service::new();
    service.put_ledger(b"this is a text of some length, and no database at all");
    let answer = service.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("\nstreamgauge_api_ledger_up 0\n"),
        "{}",
        answer.text
    );
    let failed = service.get("/api/v1/summary").await;
    insta::assert_snapshot!(failed.shown());
    assert_eq!(service.get("/readyz").await.status, 503);
    assert_eq!(service.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_is_asked_again_later() {
    // Nobody listens there.
    let away = "postgres://gauge@127.0.0.1:1/gauge";
    let service = Service::with(|settings| away.clone_into(&mut settings.ledger));
    let answer = service.get("/api/v1/summary").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.json()["error"]["code"], "unavailable");
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    assert_eq!(service.get("/healthz").await.status, 200);
}
