//! `GET /api/v1/breakdown`.

use serde_json::{Value, json};

use crate::{Service, records};

/// The row whose key is `key`.
fn row<'b>(body: &'b Value, key: &Value) -> &'b Value {
    let rows = body["rows"].as_array().unwrap();
    rows.iter()
        .find(|row| row["key"] == *key)
        .unwrap_or_else(|| panic!("no row {key} in {body:#}"))
}

#[tokio::test]
async fn rows_have_the_figures_of_a_summary_and_add_up_to_it() {
    let service = Service::filled().await;
    let summary = service.get("/api/v1/summary").await.json();
    for by in [
        "model",
        "pool",
        "replica",
        "endpoint",
        "outcome",
        "stream",
        "key",
        "user",
        "error_type",
    ] {
        let body = service.get(&format!("/api/v1/breakdown?by={by}")).await.json();
        assert_eq!(body["by"], *by);
        let rows = body["rows"].as_array().unwrap();
        let sum =
            |pick: fn(&Value) -> &Value| -> f64 { rows.iter().filter_map(|row| pick(row).as_f64()).sum() };
        assert_eq!(
            sum(|row| &row["requests"]),
            summary["requests"].as_f64().unwrap(),
            "{by}"
        );
        assert_eq!(
            sum(|row| &row["failures"]),
            summary["failures"].as_f64().unwrap(),
            "{by}"
        );
        let tokens = summary["tokens"]["completion"].as_f64().unwrap();
        assert_eq!(sum(|row| &row["tokens"]["completion"]), tokens, "{by}");
        let rate = summary["tokens_per_second"].as_f64().unwrap();
        assert!(
            (sum(|row| &row["tokens_per_second"]) - rate).abs() < 1e-9,
            "rates add up: {by}"
        );
        let columns = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        let mut expected = columns(&summary);
        expected.retain(|name| name != "from" && name != "to");
        expected.push("key".to_owned());
        expected.sort();
        assert_eq!(columns(&rows[0]), expected, "a row is a summary with a key: {by}");
    }
}

#[tokio::test]
async fn rows_are_the_busiest_first_and_limited() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/breakdown?by=model&limit=2").await.json();
    let keys: Vec<&Value> = body["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["key"])
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], "llama-70b");
    let all = service.get("/api/v1/breakdown?by=model").await.json();
    for name in ["requests_per_second", "rate_span_ms"] {
        let (limited, whole) = (row(&body, keys[0]), row(&all, keys[0]));
        assert_eq!(
            limited[name], whole[name],
            "a limit does not change what is left: {name}"
        );
    }
}

#[tokio::test]
async fn what_is_unknown_has_a_row_of_its_own() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/breakdown?by=replica").await.json();
    let refused = row(&body, &Value::Null);
    assert_eq!(refused["requests"], 1);
    assert_eq!(
        refused["tokens"]["completion"],
        Value::Null,
        "it reported no tokens"
    );
    assert_eq!(refused["outcomes"], json!({"client_error": 1}));
    assert_eq!(
        refused["error_rate"], 0.0,
        "a client's error is no failure of ours"
    );
    assert_eq!(row(&body, &json!("10.0.0.2:8000"))["error_rate"], 1.0);
}

#[tokio::test]
async fn mistakes_are_named() {
    let service = Service::new();
    for query in [
        "",
        "?by=colour",
        "?by=modle",
        "?by=model&limit=0",
        "?by=model&step=1m",
    ] {
        insta::assert_snapshot!(service.get(&format!("/api/v1/breakdown{query}")).await.shown());
    }
}

#[tokio::test]
async fn tags_are_split_by_and_filtered_by() {
    let service = Service::filled().await;
    let mut tagged = records::stream("r7", 20, 150);
    tagged.identity.tags.push(record::Tag {
        name: "team".into(),
        value: "search".into(),
    });
    service.store(&[tagged], &[]).await;
    let body = service.get("/api/v1/breakdown?by=tag.team").await.json();
    assert_eq!(body["by"], "tag.team");
    assert_eq!(
        body["rows"].as_array().unwrap().len(),
        1,
        "only requests with the tag: {body:#}"
    );
    assert_eq!(row(&body, &json!("search"))["requests"], 1);
    let only = service.get("/api/v1/summary?tag.team=search").await.json();
    assert_eq!(only["requests"], 1);
    let none = service
        .get("/api/v1/summary?tag.team=search&tag.env=prod")
        .await
        .json();
    assert_eq!(none["requests"], 0, "different tags must all hold");
    let series = service
        .get("/api/v1/timeseries?metric=requests&step=1h&by=tag.team")
        .await
        .json();
    assert_eq!(series["series"][0]["labels"], json!({ "tag.team": "search" }));
    assert_eq!(service.get("/api/v1/summary?tag.=x").await.status, 400);
    assert_eq!(service.get("/api/v1/breakdown?by=tag.").await.status, 400);
}
