//! A stored response that is asked for again: it passes through, and is not counted twice.

use bytes::Bytes;
use serde_json::Value;
use simulator::{Scripted, Step};

use crate::exchange::{Answer, Client, chunked_answer, record, start};
use crate::up::Up;

/// What a replica answers that has not got the response.
const ELSEWHERE: &[u8] =
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 28\r\n\r\n\
    {\"error\":{\"type\":\"invalid\"}}";

/// A response in events, as llama.cpp's server wrote it.
const EVENTS: &[u8] = include_bytes!("../../../observer/vectors/captures/ll-responses.raw");

const BODY: &str = r#"{"id":"resp_1","object":"response","status":"completed","model":"m",
    "usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}}"#;

fn body() -> Vec<Step> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        BODY.len()
    );
    vec![Step::Send(Bytes::from(head + BODY))]
}

async fn ask(up: &Up, id: &str, line: &str) -> Answer {
    let mut client = Client::connect(&up.proxy).await;
    client
        .send(format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {id}\r\n\r\n"
        ))
        .await;
    client.end().await
}

fn assert_uncounted(record: &Value) {
    for column in [
        "prompt_tokens",
        "completion_tokens",
        "completion_tokens_est",
        "token_events",
        "ttft_ms",
    ] {
        assert!(record[column].is_null(), "{column}: {record}");
    }
    assert_eq!(record["usage_source"], "none", "{record}");
}

#[tokio::test]
async fn a_stored_response_passes_through_and_is_not_counted_again() {
    let scripts = vec![chunked_answer(EVENTS, &[100, 900]), body(), body()];
    let replica = Scripted::start(scripts).await.expect("a free port");
    let up = start(&[replica.url()], "").await;
    let again = ask(
        &up,
        "again",
        "GET /v1/responses/resp_1?stream=true&starting_after=2",
    )
    .await;
    assert_eq!(
        (again.status, again.body.as_slice()),
        (200, EVENTS),
        "every byte as it was sent"
    );
    let whole = ask(&up, "whole", "GET /v1/responses/resp_1").await;
    assert_eq!((whole.status, whole.text().as_str()), (200, BODY));
    let ended = ask(&up, "ended", "POST /v1/responses/resp_1/cancel").await;
    assert_eq!((ended.status, ended.text().as_str()), (200, BODY));
    let lines: Vec<_> = replica
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method(), request.target()))
        .collect();
    assert_eq!(
        lines,
        [
            "GET /v1/responses/resp_1?stream=true&starting_after=2",
            "GET /v1/responses/resp_1",
            "POST /v1/responses/resp_1/cancel"
        ]
    );
    for (id, stream) in [("again", true), ("whole", false), ("ended", false)] {
        let record = record(&up, id).await;
        assert_uncounted(&record);
        assert_eq!(
            (&record["outcome"], &record["endpoint"], &record["stream"]),
            (&"success".into(), &"responses".into(), &stream.into()),
            "{record}"
        );
        assert!(
            !record["model"].is_null(),
            "what is not counted is read: {record}"
        );
    }
    let refused = ask(&up, "gone", "DELETE /v1/responses/resp_1").await;
    assert_eq!(refused.status, 405, "vLLM deletes none: {}", refused.text());
}

#[tokio::test]
async fn the_replica_that_has_a_response_is_found() {
    let stranger = || async {
        Scripted::start(vec![vec![Step::Send(Bytes::from_static(ELSEWHERE))]])
            .await
            .expect("a free port")
    };
    let (first, second, third) = (stranger().await, stranger().await, stranger().await);
    let owner = Scripted::start(vec![body()]).await.expect("a free port");
    let up = start(&[first.url(), second.url(), third.url(), owner.url()], "").await;
    for turn in 0..3 {
        let id = format!("found-{turn}");
        let answer = ask(&up, &id, "GET /v1/responses/resp_1").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, BODY),
            "whoever is asked first"
        );
        let record = record(&up, &id).await;
        assert_eq!(record["replica"], owner.addr().to_string(), "{record}");
    }
    drop(owner);
}

#[tokio::test]
async fn a_response_that_nobody_has_is_the_last_replicas_404() {
    let script = || vec![vec![Step::Send(Bytes::from_static(ELSEWHERE))]];
    let (one, two) = (
        Scripted::start(script()).await.expect("a free port"),
        Scripted::start(script()).await.expect("a free port"),
    );
    let up = start(&[one.url(), two.url()], "").await;
    let answer = ask(&up, "nowhere", "GET /v1/responses/resp_9").await;
    assert_eq!((answer.status, answer.error_type().as_str()), (404, "invalid"));
    assert_eq!(
        (one.requests().len(), two.requests().len()),
        (1, 1),
        "each is asked once"
    );
    let record = record(&up, "nowhere").await;
    assert_eq!(
        (&record["outcome"], &record["attempts"]),
        (&"client_error".into(), &2.into()),
        "{record}"
    );
}
