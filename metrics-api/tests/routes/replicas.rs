//! `GET /api/v1/replicas`.

use serde_json::{Value, json};

use crate::{Service, records};

fn replica<'b>(body: &'b Value, name: &str) -> &'b Value {
    let rows = body["replicas"].as_array().unwrap();
    rows.iter()
        .find(|row| row["replica"] == name)
        .unwrap_or_else(|| panic!("no {name} in {body:#}"))
}

#[tokio::test]
async fn proxies_and_replicas_from_pulses_with_their_figures() {
    let service = Service::filled().await;
    let answer = service.get("/api/v1/replicas").await;
    let mut body = answer.json();
    for row in body["replicas"].as_array_mut().unwrap() {
        // The figures are those of a breakdown by replica, which has a test of its own.
        let figures = row["figures"].take();
        row["figures"] = json!({ "requests": figures["requests"], "ttft_ms.max": figures["ttft_ms"]["max"] });
    }
    insta::assert_snapshot!(format!("{}\n{body:#}", answer.status));
}

#[tokio::test]
async fn figures_are_those_of_a_breakdown() {
    let service = Service::filled().await;
    let replicas = service.get("/api/v1/replicas").await.json();
    let breakdown = service.get("/api/v1/breakdown?by=replica").await.json();
    for row in breakdown["rows"].as_array().unwrap() {
        let Some(name) = row["key"].as_str() else { continue };
        let mut figures = row.clone();
        figures.as_object_mut().unwrap().remove("key");
        assert_eq!(
            replica(&replicas, name)["figures"],
            figures,
            "one number on all screens: {name}"
        );
    }
}

#[tokio::test]
async fn a_replica_that_only_a_silent_proxy_knows_has_no_state() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/replicas").await.json();
    let lost = replica(&body, "10.0.0.3:8000");
    assert_eq!(lost["state"], Value::Null);
    assert_eq!(lost["in_flight"], Value::Null, "unknown, not zero");
    assert_eq!(lost["views"][0]["stale"], true);
    assert_eq!(lost["figures"]["requests"], 0, "that it had no requests is known");
    assert_eq!(
        replica(&body, "10.0.0.1:8000")["in_flight"],
        3,
        "the silent proxy's 9 are not counted"
    );
}

#[tokio::test]
async fn a_replica_that_only_old_records_name_is_listed() {
    let service = Service::new();
    service.store(&records::six(), &[]).await;
    let body = service.get("/api/v1/replicas").await.json();
    assert_eq!(body["proxies"], json!([]));
    let gone = replica(&body, "10.0.0.1:8000");
    assert_eq!((&gone["pool"], &gone["state"]), (&Value::Null, &Value::Null));
    assert_eq!(gone["figures"]["requests"], 3);
}

#[tokio::test]
async fn two_live_proxies_that_differ_show_the_worse_state_and_the_sum() {
    let service = Service::new();
    let mut pulses = records::pulses();
    pulses[1].at = crate::NOW;
    pulses[1].replicas[0].state = record::ReplicaState::Draining;
    service.store(&[], &pulses).await;
    let body = service.get("/api/v1/replicas?replica=10.0.0.1:8000").await.json();
    assert_eq!(
        body["replicas"].as_array().unwrap().len(),
        1,
        "the filter holds for pulses too"
    );
    let shared = replica(&body, "10.0.0.1:8000");
    assert_eq!(
        (&shared["state"], &shared["in_flight"]),
        (&json!("draining"), &json!(12))
    );
    assert_eq!(shared["views"].as_array().unwrap().len(), 2);
}
