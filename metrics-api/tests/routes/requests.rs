//! `GET /api/v1/requests` and `GET /api/v1/requests/{id}`.

use serde_json::Value;

use crate::{Service, records};

fn ids(body: &Value) -> Vec<String> {
    let requests = body["requests"].as_array().unwrap();
    requests
        .iter()
        .map(|request| request["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_stream_a_plain_answer_and_a_refusal_in_full() {
    let service = Service::filled().await;
    for id in ["r1", "r4", "r6"] {
        insta::assert_snapshot!(service.get(&format!("/api/v1/requests/{id}")).await.shown());
    }
}

#[tokio::test]
async fn pages_follow_each_other_newest_first_without_gap_or_double() {
    let service = Service::filled().await;
    let all = service.get("/api/v1/requests").await.json();
    assert_eq!(ids(&all), ["r6", "r5", "r4", "r3", "r2", "r1"]);
    assert_eq!(all["next"], Value::Null, "one page holds them all");

    let first = service.get("/api/v1/requests?limit=4").await.json();
    assert_eq!(ids(&first), ["r6", "r5", "r4", "r3"]);
    let cursor = first["next"].as_str().expect("there is more").to_owned();
    // A request that starts meanwhile does not move what follows.
    service.store(&[records::stream("r7", 1, 50)], &[]).await;
    let second = service
        .get(&format!("/api/v1/requests?limit=4&cursor={cursor}"))
        .await
        .json();
    assert_eq!(ids(&second), ["r2", "r1"]);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn a_page_that_is_exactly_full_and_last_leads_nowhere() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/requests?limit=6").await.json();
    assert_eq!(ids(&body).len(), 6);
    assert_eq!(body["next"], Value::Null, "no button that leads to an empty page");
}

#[tokio::test]
async fn the_list_and_the_single_request_say_the_same() {
    let service = Service::filled().await;
    let listed = service
        .get("/api/v1/requests?replica=10.0.0.1:8000&stream=true")
        .await
        .json();
    assert_eq!(ids(&listed), ["r2", "r1"]);
    for request in listed["requests"].as_array().unwrap() {
        let id = request["id"].as_str().unwrap();
        assert_eq!(
            service.get(&format!("/api/v1/requests/{id}")).await.json(),
            *request
        );
    }
}

#[tokio::test]
async fn the_newest_of_several_with_one_id_is_answered() {
    let service = Service::filled().await;
    service.store(&[records::stream("r1", 10, 777)], &[]).await;
    assert_eq!(service.get("/api/v1/requests/r1").await.json()["ttft_ms"], 777.0);
}

#[tokio::test]
async fn mistakes_are_named() {
    let service = Service::filled().await;
    for path in [
        "?limit=0",
        "?limit=1001",
        "?cursor=nonsense",
        "?cursor=abc",
        "?offset=10",
        "/unknown-id",
        "/r1?verbose=1",
    ] {
        insta::assert_snapshot!(service.get(&format!("/api/v1/requests{path}")).await.shown());
    }
}
