//! `GET /healthz`, `GET /readyz` and compression.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{DEADLINE, Service, records};

#[tokio::test]
async fn ready_means_that_there_is_a_ledger() {
    let service = Service::new();
    assert_eq!(service.get("/healthz").await.shown(), "200 OK\nok\n");
    insta::assert_snapshot!(service.get("/readyz").await.shown());
    service.store(&[], &records::pulses()).await;
    assert_eq!(
        service.get("/readyz").await.shown(),
        "200 OK\nready\n",
        "no restart was needed"
    );
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_asks() {
    let service = Service::filled().await;
    let request = Request::get("/api/v1/requests").header("accept-encoding", "gzip");
    let response = service
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap());
    let response = tokio::time::timeout(DEADLINE, response)
        .await
        .expect("an answer came in time")
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let plain = service.get("/api/v1/requests").await;
    assert_eq!(
        plain.header("content-encoding"),
        "",
        "who does not ask gets it plain"
    );
    assert!(
        body.len() * 3 < plain.text.len(),
        "{} of {} bytes",
        body.len(),
        plain.text.len()
    );
}

#[tokio::test]
async fn events_are_not_compressed() {
    let service = Service::filled().await;
    let request = Request::get("/api/v1/live").header("accept-encoding", "gzip");
    let response = service
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap());
    let response = tokio::time::timeout(DEADLINE, response)
        .await
        .expect("an answer came in time")
        .unwrap();
    assert!(
        !response.headers().contains_key("content-encoding"),
        "a compressor would hold events back"
    );
    assert_eq!(response.headers()["cache-control"], "no-cache");
}
