//! `GET /api/v1/facets` and `GET /api/v1/about`.

use crate::Service;

#[tokio::test]
async fn the_values_that_occur() {
    let service = Service::filled().await;
    insta::assert_snapshot!(service.get("/api/v1/facets").await.shown());
}

#[tokio::test]
async fn a_window_without_requests_has_no_values() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/facets?from=now-10s").await.json();
    for name in ["model", "pool", "replica", "endpoint", "outcome", "key", "user"] {
        assert_eq!(body[name].as_array().map(Vec::len), Some(0), "{name}");
    }
}

#[tokio::test]
async fn every_value_can_be_given_back_as_a_filter() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/facets").await.json();
    let mut asked = 0;
    for (name, values) in body.as_object().unwrap() {
        for value in values.as_array().into_iter().flatten() {
            let value = value.as_str().unwrap();
            let answer = service.get(&format!("/api/v1/summary?{name}={value}")).await;
            let requests = answer.json()["requests"].as_u64();
            assert!(
                requests.is_some_and(|count| count > 0),
                "{name}={value}: {}",
                answer.text
            );
            asked += 1;
        }
    }
    assert!(asked >= 9, "the ledger has more than {asked} values");
}

#[tokio::test]
async fn about_says_where_the_proxy_is_and_whether_there_is_a_ledger() {
    let service = Service::new();
    let before = service.get("/api/v1/about").await;
    insta::assert_snapshot!(before.shown().replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    let filled = Service::filled().await;
    assert_eq!(filled.get("/api/v1/about").await.json()["ready"], true);
}

#[tokio::test]
async fn unknown_parameters_are_refused() {
    let service = Service::new();
    for path in ["/api/v1/facets?by=model", "/api/v1/about?from=now"] {
        insta::assert_snapshot!(service.get(path).await.shown());
    }
}
