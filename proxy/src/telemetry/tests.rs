//! One record through all metrics, and what must never enter them.

use std::time::Duration;

use prometheus::TextEncoder;
use record::{
    Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, Outcome, Routing, Shape, Sketch,
    Times, Tokens, UnixMillis, Usage, UsageSource,
};

use super::*;

/// A successful stream of three tokens.
pub(crate) fn record(model: &str, outcome: Outcome) -> MetricRecord {
    let mut gaps = Sketch::default();
    gaps.add(Duration::from_millis(12));
    gaps.add(Duration::from_millis(12));
    MetricRecord {
        id: "r".into(),
        started_at: UnixMillis(1),
        trace_id: None,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        pool: Some("default".into()),
        model_requested: Some(model.into()),
        model: Some(model.into()),
        replica: Some("10.0.0.1:8000".into()),
        attempts: Attempts(1),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: Some(true),
            ..Shape::default()
        },
        status: Some(200),
        outcome,
        error_type: None,
        finish_reason: Some(FinishReason::Stop),
        terminal: Some(true),
        times: Times {
            ttft: Some(Duration::from_millis(80)),
            e2e: Duration::from_millis(104),
            ..Times::default()
        },
        gaps,
        usage: Usage {
            prompt: Some(Tokens(7)),
            completion: Some(Tokens(3)),
            source: UsageSource::Final,
            ..Usage::default()
        },
        engine: Engine::default(),
        identity: Identity::default(),
        request_bytes: 100,
        response_bytes: 600,
        good: None,
        flags: Flags::default(),
    }
}

fn text(telemetry: &Telemetry) -> String {
    TextEncoder::new().encode_to_string(&telemetry.gather()).unwrap()
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|other| other == line)
}

#[test]
fn a_record_is_counted_once_everywhere() {
    let telemetry = Telemetry::new("0.1.0", "abc");
    telemetry.observe(&record("m", Outcome::Success));
    let text = text(&telemetry);
    for line in [
        r#"streamgauge_requests_total{endpoint="chat",model_name="m",outcome="success",stream="true"} 1"#,
        r#"streamgauge_request_success_total{finished_reason="stop",model_name="m"} 1"#,
        r#"streamgauge_http_responses_total{code="200",endpoint="chat"} 1"#,
        r#"streamgauge_generation_tokens_total{model_name="m"} 3"#,
        r#"streamgauge_prompt_tokens_total{model_name="m"} 7"#,
        r#"streamgauge_inter_token_latency_seconds_count{model_name="m"} 2"#,
        r#"streamgauge_inter_token_latency_seconds_bucket{model_name="m",le="0.01"} 0"#,
        r#"streamgauge_inter_token_latency_seconds_bucket{model_name="m",le="0.025"} 2"#,
        r#"streamgauge_time_to_first_token_seconds_bucket{model_name="m",le="0.08"} 1"#,
        r#"streamgauge_usage_source_total{model_name="m",source="final"} 1"#,
        r#"streamgauge_build_info{revision="abc",version="0.1.0"} 1"#,
    ] {
        assert!(has(&text, line), "missing {line} in\n{text}");
    }
    assert!(
        !text.contains("time_per_output_token_seconds_count"),
        "what is undefined is absent, not zero"
    );
}

#[test]
fn a_model_that_no_replica_named_is_other() {
    let telemetry = Telemetry::new("0", "0");
    telemetry.observe(&MetricRecord {
        status: Some(404),
        model: None,
        ..record("evil", Outcome::ClientError)
    });
    let text = text(&telemetry);
    assert!(
        text.contains(r#"model_name="other",outcome="client_error""#),
        "{text}"
    );
    assert!(!text.contains("evil"), "{text}");
}

#[test]
fn estimates_never_enter_exact_counters() {
    let telemetry = Telemetry::new("0", "0");
    let mut estimated = record("m", Outcome::ClientCancelled);
    estimated.usage.source = UsageSource::Estimated;
    telemetry.observe(&estimated);
    assert!(
        !text(&telemetry).contains("streamgauge_generation_tokens_total{"),
        "no exact count, no counter"
    );
}

#[test]
fn every_metric_has_a_help_text() {
    let telemetry = Telemetry::new("0", "0");
    telemetry.observe(&record("m", Outcome::Success));
    for family in telemetry.gather() {
        assert!(!family.help().is_empty(), "{}", family.name());
        assert!(family.name().starts_with("streamgauge_"), "{}", family.name());
    }
}

#[test]
fn every_metric_is_documented() {
    let telemetry = Telemetry::new("0", "0");
    telemetry.observe(&record("m", Outcome::Success));
    let page = include_str!("../../../docs/metrics.md");
    for family in telemetry.gather() {
        let name = format!("`{}`", family.name());
        assert!(page.contains(&name), "{name} is not in docs/metrics.md");
    }
}
