//! `GET /api/v1/live`.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{DEADLINE, Service, records};

/// The stream of one watcher.
struct Watcher {
    body: Body,
    unread: String,
}

impl Watcher {
    async fn new(service: &Service) -> Self {
        let request = Request::get("/api/v1/live").body(Body::empty()).unwrap();
        let response = service.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            unread: String::new(),
        }
    }

    /// The next event's data, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let data = event
                    .strip_prefix("event: live\ndata: ")
                    .expect("an event named live");
                let data = serde_json::from_str(data).unwrap();
                self.unread = rest.to_owned();
                return Some(data);
            }
            let frame = tokio::time::timeout(DEADLINE, self.body.frame());
            let frame = frame.await.expect("an event came in time")?;
            let bytes = frame.unwrap().into_data().unwrap();
            self.unread.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

#[tokio::test]
async fn the_first_event_shows_live_proxies_and_their_replicas() {
    let service = Service::filled().await;
    let event = Watcher::new(&service).await.next().await.expect("an event");
    insta::assert_snapshot!(format!("{event:#}"));
}

#[tokio::test]
async fn without_a_ledger_everything_is_unknown() {
    let service = Service::new();
    let event = Watcher::new(&service).await.next().await.expect("an event");
    assert_eq!(event["in_flight"], Value::Null);
    assert_eq!(event["proxies_live"], 0);
    assert_eq!(event["rates"]["requests_per_second"], Value::Null);
}

#[tokio::test]
async fn rates_come_from_the_counters_of_two_pulses() {
    let service = Service::filled().await;
    let mut watcher = Watcher::new(&service).await;
    let first = watcher.next().await.expect("an event");
    assert_eq!(
        first["rates"]["requests_per_second"],
        Value::Null,
        "one pulse is no rate"
    );
    let mut pulse = records::pulses().remove(0);
    pulse.at = pulse.at.plus(records::ms(200));
    pulse.families = records::families(16);
    service.store(&[], &[pulse]).await;
    // The feed reads once a second; the pulse is in the second event or in one soon after it.
    for _ in 0..5 {
        let event = watcher.next().await.expect("an event");
        if let Some(rate) = event["rates"]["requests_per_second"].as_f64() {
            assert!((rate - 50.0).abs() < 1e-9, "10 requests in 200 ms: {rate}");
            assert_eq!(
                event["rates"]["tokens_per_second"],
                Value::Null,
                "no such counter"
            );
            return;
        }
    }
    panic!("no event with rates came");
}

#[tokio::test]
async fn a_shutdown_ends_the_stream() {
    let service = Service::filled().await;
    let mut watcher = Watcher::new(&service).await;
    watcher.next().await.expect("an event");
    service.state.stop();
    while watcher.next().await.is_some() {}
}
