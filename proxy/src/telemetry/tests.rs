//! One record through all metrics, and what must never enter them.

use std::time::Duration;

use prometheus::TextEncoder;
use record::{
    Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, Outcome, Policy, Routing, Shape,
    Sketch, Times, Tokens, UnixMillis, Usage, UsageSource,
};

use super::*;
use crate::slo::Verdict;

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
    let telemetry = Telemetry::new(["0.1.0", "abc", "1.95.0"]);
    telemetry.observe(&record("m", Outcome::Success), Verdict::default());
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
        r#"streamgauge_build_info{revision="abc",rustc="1.95.0",version="0.1.0"} 1"#,
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
    let telemetry = Telemetry::new(["0"; 3]);
    let refused = MetricRecord {
        status: Some(404),
        model: None,
        ..record("evil", Outcome::ClientError)
    };
    telemetry.observe(&refused, Verdict::default());
    let text = text(&telemetry);
    assert!(
        text.contains(r#"model_name="other",outcome="client_error""#),
        "{text}"
    );
    assert!(!text.contains("evil"), "{text}");
}

#[test]
fn estimates_never_enter_exact_counters() {
    let telemetry = Telemetry::new(["0"; 3]);
    let mut estimated = record("m", Outcome::ClientCancelled);
    estimated.usage.source = UsageSource::Estimated;
    telemetry.observe(&estimated, Verdict::default());
    assert!(
        !text(&telemetry).contains("streamgauge_generation_tokens_total{"),
        "no exact count, no counter"
    );
}

#[test]
fn choices_are_counted_with_their_reason_and_what_was_believed() {
    let telemetry = Telemetry::new(["0"; 3]);
    let mut hit = record("m", Outcome::Success);
    hit.routing = Routing {
        policy: Some(Policy::Prefix),
        prefix_blocks: Some(5),
        matched_blocks: Some(3),
        predicted_cached: Some(Tokens(700)),
    };
    hit.usage.cached = Some(Tokens(640));
    telemetry.observe(&hit, Verdict::default());
    let mut miss = hit.clone();
    miss.routing.matched_blocks = Some(0);
    miss.usage.cached = None;
    telemetry.observe(&miss, Verdict::default());
    let text = text(&telemetry);
    for (name, value) in [
        (
            r#"choices_total{policy="prefix",pool="default",reason="cached"}"#,
            1,
        ),
        (
            r#"choices_total{policy="prefix",pool="default",reason="least_work"}"#,
            1,
        ),
        (r#"prompt_blocks_total{held="true",pool="default"}"#, 3),
        (r#"prompt_blocks_total{held="false",pool="default"}"#, 7),
        (r#"cached_tokens_total{pool="default",word="predicted"}"#, 700),
        (r#"cached_tokens_total{pool="default",word="reported"}"#, 640),
    ] {
        let line = format!("streamgauge_routing_{name} {value}\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn tokens_of_an_answer_that_nobody_got_whole_are_waste() {
    let telemetry = Telemetry::new(["0"; 3]);
    let mut exact = record("m", Outcome::ClientCancelled);
    exact.usage.source = UsageSource::Continuous;
    let mut estimated = record("m", Outcome::TimeoutIdle);
    estimated.usage.source = UsageSource::Estimated;
    estimated.usage.completion = None;
    estimated.usage.completion_estimated = Some(Tokens(5));
    for record in [&record("m", Outcome::Success), &exact, &exact, &estimated] {
        telemetry.observe(record, Verdict::default());
    }
    let text = text(&telemetry);
    for line in [
        r#"streamgauge_wasted_tokens_total{outcome="client_cancelled",pool="default",source="exact"} 6"#,
        r#"streamgauge_wasted_tokens_total{outcome="timeout_idle",pool="default",source="estimated"} 5"#,
        r#"streamgauge_generation_tokens_estimated_total{model_name="m"} 5"#,
        r#"streamgauge_generation_tokens_total{model_name="m"} 9"#,
    ] {
        assert!(has(&text, line), "missing {line} in\n{text}");
    }
    assert!(
        !text.contains(r#"outcome="success",pool"#),
        "what was served is no waste\n{text}"
    );
}

/// The page of definitions names every metric, also those that have no value yet, and each has a help text.
#[test]
fn every_metric_is_documented() {
    let make = Maker::default();
    let _telemetry = Telemetry::made_by(&make, ["0"; 3]);
    let made = make.made.borrow();
    assert!(made.len() > 30, "only {} metrics are made", made.len());
    let page = include_str!("../../../docs/metrics.md");
    for metric in made.iter() {
        let name = &metric.fq_name;
        assert!(name.starts_with("streamgauge_"), "{name}");
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in docs/metrics.md"
        );
        assert!(
            metric.help.ends_with('.'),
            "{name} has no help text: {:?}",
            metric.help
        );
    }
}
