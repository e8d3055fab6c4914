//! `GET /api/v1/timeseries`.

use serde_json::{Value, json};

use crate::Service;

/// The values of the series whose labels are `labels`.
fn values(body: &Value, labels: &Value) -> Vec<Value> {
    let series = body["series"].as_array().unwrap();
    let found = series.iter().find(|series| series["labels"] == *labels);
    let found = found.unwrap_or_else(|| panic!("no series {labels} in {body:#}"));
    let points = found["points"].as_array().unwrap();
    points.iter().map(|point| point[1].clone()).collect()
}

#[tokio::test]
async fn requests_fall_into_steps_that_begin_at_round_moments() {
    let service = Service::filled().await;
    let answer = service
        .get("/api/v1/timeseries?metric=requests&step=1m&from=now-6m")
        .await;
    insta::assert_snapshot!(answer.shown());
}

#[tokio::test]
async fn a_step_without_streams_is_a_gap_in_ttft() {
    let service = Service::filled().await;
    let body = service
        .get("/api/v1/timeseries?metric=ttft_p95&step=1m&from=now-6m")
        .await
        .json();
    assert_eq!(body["unit"], "ms");
    let values = values(&body, &json!({}));
    let known: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    assert_eq!(known.len(), 3, "three streams in three minutes: {values:?}");
    for (found, expected) in known.iter().zip([100.0, 200.0, 300.0]) {
        assert!((found / expected - 1.0).abs() <= 0.011, "{found}, not {expected}");
    }
    assert_eq!(
        values.iter().filter(|value| value.is_null()).count(),
        values.len() - 3,
        "all else is a gap"
    );
}

#[tokio::test]
async fn one_series_for_each_value_and_one_for_the_unknown() {
    let service = Service::filled().await;
    let body = service
        .get("/api/v1/timeseries?metric=requests&step=1h&by=replica")
        .await
        .json();
    let total = |replica: Value| -> f64 {
        let values = values(&body, &json!({ "replica": replica }));
        values.iter().filter_map(Value::as_f64).sum()
    };
    assert_eq!(total(json!("10.0.0.1:8000")), 3.0);
    assert_eq!(total(json!("10.0.0.2:8000")), 2.0);
    assert_eq!(total(Value::Null), 1.0, "the refused request has no replica");
}

#[tokio::test]
async fn without_a_step_the_points_are_few() {
    let service = Service::filled().await;
    for (from, step) in [("now-15m", 10_000), ("now-1h", 30_000), ("now-7d", 10_800_000)] {
        let body = service
            .get(&format!("/api/v1/timeseries?metric=requests&from={from}"))
            .await
            .json();
        assert_eq!(body["step_ms"], step, "{from}");
        let points = body["series"][0]["points"].as_array().unwrap().len();
        assert!((56..=122).contains(&points), "{from}: {points} points");
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let service = Service::filled().await;
    for query in [
        "step=1m",
        "metric=ttft",
        "metric=requests&step=5",
        "metric=requests&step=1s&from=now-7d",
        "metric=requests&step=0s",
        "metric=requests&step=1500ms",
        "metric=requests&by=colour",
    ] {
        insta::assert_snapshot!(service.get(&format!("/api/v1/timeseries?{query}")).await.shown());
    }
}
