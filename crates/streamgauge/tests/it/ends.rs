//! Every way a request can end: what the client sees, what the replica sees, and what the record says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulator::{Scripted, Settings, Simulator, Step, TokenRange};
use tokio::sync::Notify;

use crate::exchange::{
    CHAT, Client, SILENT, STREAM, chunked_answer, nobody, one_token, post, record, request, start,
};
use crate::up::{DEADLINE, Up};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// The beginning of a stream: its head and one token.
fn begun() -> Step {
    let token = one_token();
    let wire = [format!("{HEAD}{:x}\r\n", token.len()).as_bytes(), &token, b"\r\n"].concat();
    Step::Send(Bytes::from(wire))
}

async fn replica(ttft: Duration, itl: Duration) -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        ttft,
        itl,
        tokens: TokenRange { min: 50, max: 50 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

async fn scripted(script: Vec<Step>, config: &str) -> (Scripted, Up) {
    let replica = Scripted::start(vec![script]).await.expect("a free port");
    let up = start(&[replica.url()], config).await;
    (replica, up)
}

fn expect(record: &Value, fields: &[(&str, Value)]) {
    for (name, value) in fields {
        assert_eq!(&record[*name], value, "{name} of {record}");
    }
}

#[tokio::test]
async fn a_whole_stream_is_a_success_with_its_tokens_and_times() {
    let replica = replica(Duration::from_millis(40), Duration::from_millis(2)).await;
    let up = start(&[replica.url()], "").await;
    let answer = post(&up, "whole", SILENT).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    let record = record(&up, "whole").await;
    expect(
        &record,
        &[
            ("outcome", "success".into()),
            ("status", 200.into()),
            ("model", "m".into()),
            ("completion_tokens", 50.into()),
            ("usage_source", "final".into()),
            ("finish_reason", "stop".into()),
            ("terminal", true.into()),
            ("attempts", 1.into()),
            ("token_events", 50.into()),
        ],
    );
    let ttft = record["ttft_ms"]
        .as_f64()
        .expect("a stream has a time to first token");
    assert!(ttft >= 40.0, "{ttft} ms is shorter than the replica's own 40 ms");
    let tpot = record["tpot_ms"].as_f64().expect("50 tokens in many arrivals");
    assert!(
        tpot >= 1.5,
        "{tpot} ms a token is shorter than the replica's 2 ms"
    );
}

#[tokio::test]
async fn a_client_that_leaves_in_prefill_frees_the_replica() {
    let replica = replica(Duration::from_secs(600), Duration::ZERO).await;
    let up = start(&[replica.url()], "").await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "prefill", STREAM)).await;
    replica
        .wait_until("the request", DEADLINE, |stats| stats.running() == 1)
        .await
        .expect("it arrives");
    // Whether the head had come decides whether this was a stream without tokens or no answer at all.
    client.until("\r\n\r\n").await;
    drop(client);
    replica
        .wait_until("the abort", DEADLINE, |stats| stats.aborted() == 1)
        .await
        .expect("it is passed on");
    let record = record(&up, "prefill").await;
    expect(
        &record,
        &[
            ("outcome", "client_cancelled".into()),
            ("ttft_ms", Value::Null),
            ("token_events", 0.into()),
        ],
    );
    assert!(record["client_gone_at_ms"].is_f64(), "{record}");
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_frees_the_replica() {
    let replica = replica(Duration::from_millis(5), Duration::from_secs(600)).await;
    let up = start(&[replica.url()], "").await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "mid", STREAM)).await;
    client.until("\"content\":\" ").await;
    drop(client);
    replica
        .wait_until("the abort", DEADLINE, |stats| stats.aborted() == 1)
        .await
        .expect("it is passed on");
    let record = record(&up, "mid").await;
    expect(
        &record,
        &[
            ("outcome", "client_cancelled".into()),
            ("status", 200.into()),
            ("completion_tokens", Value::Null),
            ("terminal", false.into()),
        ],
    );
    assert!(record["ttft_ms"].is_f64(), "tokens were seen: {record}");
}

#[tokio::test]
async fn a_client_that_leaves_after_the_last_event_was_served() {
    let done = [&one_token()[..], b"data: [DONE]\n\n"].concat();
    let mut script = chunked_answer(&done, &[]);
    // The end of the body never comes; the terminal event has.
    let Some(Step::Send(wire)) = script.pop() else {
        panic!("one step")
    };
    script.push(Step::Send(wire.slice(..wire.len() - 5)));
    script.push(Step::UntilGone);
    let (replica, up) = scripted(script, "").await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "after", STREAM)).await;
    client.until("[DONE]").await;
    drop(client);
    replica
        .wait_until("the end", DEADLINE, |replica| replica.departures() == 1)
        .await
        .expect("it is passed on");
    expect(
        &record(&up, "after").await,
        &[("outcome", "success".into()), ("terminal", true.into())],
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_event_and_no_done() {
    for (id, last) in [("cut", Step::Close), ("reset", Step::Reset)] {
        let (_replica, up) = scripted(vec![begun(), last], "").await;
        let answer = post(&up, id, STREAM).await;
        let text = answer.text();
        assert!(
            text.starts_with(&String::from_utf8(one_token()).expect("text")),
            "{text}"
        );
        assert!(
            text.contains(r#""type":"upstream_error""#) && !text.contains("[DONE]"),
            "{text}"
        );
        expect(
            &record(&up, id).await,
            &[
                ("outcome", "upstream_truncated".into()),
                ("status", 200.into()),
                ("terminal", false.into()),
            ],
        );
    }
}

#[tokio::test]
async fn an_error_inside_a_200_is_no_success_even_with_a_done() {
    let error =
        r#"data: {"error": {"message": "secret prompt", "type": "InternalServerError", "code": 500}}"#;
    let body = [&one_token()[..], error.as_bytes(), b"\n\ndata: [DONE]\n\n"].concat();
    let (_replica, up) = scripted(chunked_answer(&body, &[]), "").await;
    assert_eq!(post(&up, "inside", STREAM).await.body, body);
    let record = record(&up, "inside").await;
    expect(
        &record,
        &[
            ("outcome", "stream_error".into()),
            ("error_type", "InternalServerError".into()),
        ],
    );
    assert!(
        !record.to_string().contains("secret"),
        "a message is never kept: {record}"
    );
    assert!(!up.log().join("\n").contains("secret prompt"), "nor logged");
}

#[tokio::test]
async fn a_replica_that_nobody_can_reach_is_passed_over_and_then_out() {
    let there = replica(Duration::ZERO, Duration::ZERO).await;
    let dead = nobody().await;
    let up = start(&[dead, there.url()], "pools: [{health: {interval: 600s}}]").await;
    for round in 0..4 {
        let answer = post(&up, &format!("turn-{round}"), STREAM).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let alone = start(
        &[nobody().await],
        "pools: [{health: {interval: 600s, failures: 1000}}]",
    )
    .await;
    let mut outcomes = Vec::new();
    for id in ["first", "second"] {
        let answer = post(&alone, id, STREAM).await;
        assert!(matches!(answer.status, 502 | 503), "{}", answer.text());
        assert!(
            matches!(answer.error_type().as_str(), "upstream_error" | "no_replica"),
            "{}",
            answer.text()
        );
        outcomes.push(record(&alone, id).await["outcome"].clone());
    }
    // Whether the first request or the first probe found out is open; the second request finds no one.
    assert_eq!(outcomes[1], Value::from("no_replica"), "{outcomes:?}");
}

#[tokio::test]
async fn each_deadline_is_its_own_outcome() {
    let config = "pools: [{timeouts: {first_byte: 300ms, idle: 200ms, total: 60s}}]";
    let (_replica, up) = scripted(vec![Step::UntilGone], config).await;
    let answer = post(&up, "late", STREAM).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (504, "upstream_timeout")
    );
    expect(
        &record(&up, "late").await,
        &[("outcome", "timeout_first_byte".into()), ("status", 504.into())],
    );

    let (_replica, up) = scripted(vec![begun(), Step::UntilGone], config).await;
    let answer = post(&up, "still", STREAM).await;
    assert!(
        answer.text().contains(r#""type":"upstream_timeout""#),
        "{}",
        answer.text()
    );
    expect(
        &record(&up, "still").await,
        &[("outcome", "timeout_idle".into()), ("status", 200.into())],
    );

    let total = "pools: [{timeouts: {first_byte: 60s, idle: 60s, total: 300ms}}]";
    let (_replica, up) = scripted(vec![begun(), Step::UntilGone], total).await;
    post(&up, "long", STREAM).await;
    expect(&record(&up, "long").await, &[("outcome", "timeout_total".into())]);
}

#[tokio::test]
async fn a_stale_pooled_connection_is_not_the_clients_problem() {
    let whole = chunked_answer(&[&one_token()[..], b"data: [DONE]\n\n"].concat(), &[]);
    let go = Arc::new(Notify::new());
    // The second request arrives on the kept connection just as the replica closes it.
    let closing = vec![Step::Await(Arc::clone(&go)), Step::Close];
    let replica = Scripted::start(vec![whole.clone(), closing, whole])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    go.notify_one();
    for id in ["kept", "stale", "third"] {
        let answer = post(&up, id, STREAM).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    }
    expect(
        &record(&up, "stale").await,
        &[("outcome", "success".into()), ("attempts", 2.into())],
    );
}

#[tokio::test]
async fn the_replicas_own_errors_pass_unchanged() {
    let body = r#"{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}"#;
    let wire = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_replica, up) = scripted(vec![Step::Send(Bytes::from(wire))], "").await;
    let answer = post(&up, "theirs", STREAM).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, body));
    let record = record(&up, "theirs").await;
    expect(
        &record,
        &[
            ("outcome", "client_error".into()),
            ("error_type", "BadRequestError".into()),
            ("ttft_ms", Value::Null),
        ],
    );
}
