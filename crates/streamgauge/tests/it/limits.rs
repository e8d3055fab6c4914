//! The front door: what is refused, with which status, and that a refusal costs nobody else anything.

use std::time::Duration;

use bytes::Bytes;
use simulator::{Scripted, Settings, Simulator, Step};

use crate::exchange::{
    CHAT, Client, SILENT, STREAM, chunked_answer, one_token, post, record, request, start,
};
use crate::up::{DEADLINE, ask};

const SMALL: &str = "proxy: {max_body: 2KiB, max_in_flight: 1, head_deadline: 500ms, body_deadline: 500ms}";

async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(1),
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

#[tokio::test]
async fn what_is_not_served_never_reaches_a_replica() {
    let replica = replica().await;
    let up = start(&[replica.url()], "").await;
    for (line, status) in [
        ("GET /metrics", 404),
        ("POST /sleep", 404),
        ("POST /v1/chat/completions/", 404),
        ("POST //v1/chat/completions", 404),
        ("POST /v1/chat/completions/../../shutdown", 404),
        ("POST /v1/load_lora_adapter", 404),
        ("GET /v1/chat/completions", 405),
        ("TRACE /v1/models", 405),
    ] {
        let mut client = Client::connect(&up.proxy).await;
        client
            .send(format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
            .await;
        let answer = client.end().await;
        assert_eq!(answer.status, status, "{line}: {}", answer.text());
        assert!(
            answer.text().contains(r#""error":"#),
            "in OpenAI's form: {}",
            answer.text()
        );
    }
    // Probes ask for /health and /v1/models only.
    assert_eq!(
        replica.stats().aborted() + replica.stats().tokens_generated(),
        0,
        "no request came through"
    );
}

#[tokio::test]
async fn bodies_beyond_the_limits_are_refused_by_name() {
    let replica = replica().await;
    let up = start(&[replica.url()], SMALL).await;
    let big = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(3_000));
    let answer = post(&up, "big", &big).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (413, "request_too_large")
    );
    assert!(
        answer.text().contains("2KiB"),
        "the limit is named: {}",
        answer.text()
    );
    assert_eq!(record(&up, "big").await["outcome"], "client_error");

    let mut client = Client::connect(&up.proxy).await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-request-id: chunks\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    client
        .send(format!("{head}{:x}\r\n{big}\r\n0\r\n\r\n", big.len()))
        .await;
    assert_eq!(client.end().await.status, 413, "chunked or not");
    assert_eq!(record(&up, "chunks").await["status"], 413);

    let mut client = Client::connect(&up.proxy).await;
    client
        .send(format!(
            "POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-request-id: slow\r\ncontent-length: 100\r\n\r\n{{"
        ))
        .await;
    let answer = client.end().await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (408, "request_timeout")
    );
    assert_eq!(record(&up, "slow").await["status"], 408);

    let answer = post(&up, "twice", r#"{"model":"a","model":"b"}"#).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("`model` is given twice"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn odd_heads_are_refused_each_with_its_status() {
    let replica = replica().await;
    let up = start(&[replica.url()], SMALL).await;
    let long = "a".repeat(9_000);
    let large = "b".repeat(40_000);
    for (bytes, status) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), 414),
        (
            format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx: {large}\r\n\r\n"),
            431,
        ),
        ("GET /v1/models HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("\u{16}\u{3}\u{1}".to_owned(), 400),
        (
            format!(
                "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\
                 transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nexpect: magic\r\ncontent-length: 3\r\n\r\n"),
            417,
        ),
        (
            "GET /v1/models HTTP/1.1\r\nhost: x\r\nx: never ends".to_owned(),
            408,
        ),
    ] {
        let mut client = Client::connect(&up.proxy).await;
        client.send(&bytes).await;
        let answer = client.end().await;
        assert_eq!(
            answer.status,
            status,
            "{}",
            bytes.chars().take(80).collect::<String>()
        );
    }
    assert_eq!(
        post(&up, "still", STREAM).await.status,
        200,
        "and the door still opens"
    );
    // These had no request, so they have no record either; they are counted.
    let metrics = ask(&up.ops, "GET", "/metrics", "").await;
    for reason in ["head_too_large", "http2", "tls", "head_too_slow"] {
        let line = format!("streamgauge_connections_refused_total{{reason=\"{reason}\"}} 1");
        assert!(
            metrics.lines().any(|other| other == line),
            "no {line} in {metrics}"
        );
    }
}

#[tokio::test]
async fn one_request_too_many_is_told_to_come_back() {
    let replica = Scripted::start(vec![vec![Step::UntilGone]])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], SMALL).await;
    let mut holder = Client::connect(&up.proxy).await;
    holder.send(request(CHAT, "holder", STREAM)).await;
    replica
        .wait_until("the first request", DEADLINE, |replica| {
            replica.requests().iter().any(|request| request.target() == CHAT)
        })
        .await
        .expect("it arrives");
    let answer = post(&up, "extra", STREAM).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1")),
        "{}",
        answer.text()
    );
    assert_eq!(record(&up, "extra").await["outcome"], "rejected");
}

#[tokio::test]
async fn an_old_client_gets_a_stream_without_chunks() {
    let body = [&one_token()[..], b"data: [DONE]\n\n"].concat();
    let replica = Scripted::start(vec![chunked_answer(&body, &[9])])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    let mut client = Client::connect(&up.proxy).await;
    client
        .send(format!(
            "POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{SILENT}",
            SILENT.len()
        ))
        .await;
    let answer = client.end().await;
    assert_eq!(answer.header("transfer-encoding"), None, "{}", answer.head);
    assert_eq!(answer.body, body);
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let replica = replica().await;
    let up = start(&[replica.url()], "").await;
    for framing in ["content-length", "transfer-encoding"] {
        let mut client = Client::connect(&up.proxy).await;
        let value = if framing == "content-length" {
            STREAM.len().to_string()
        } else {
            "chunked".to_owned()
        };
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
             {framing}: {value}\r\n\r\n"
        );
        client.send(head).await;
        client.until("100 Continue\r\n\r\n").await;
        let chunked = format!("{:x}\r\n{STREAM}\r\n0\r\n\r\n", STREAM.len());
        client
            .send(if framing == "content-length" {
                STREAM
            } else {
                &chunked
            })
            .await;
        assert_eq!(client.end().await.status, 200, "{framing}");
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let replica = Scripted::start(vec![vec![Step::Send(Bytes::from_static(whole))]])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    let mut client = Client::connect(&up.proxy).await;
    for round in 0..6 {
        let coding = if round % 2 == 0 {
            format!("content-length: {}", STREAM.len())
        } else {
            "transfer-encoding: chunked".to_owned()
        };
        client
            .send(format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n{coding}\r\n\r\n"))
            .await;
        let chunked = format!("{:x}\r\n{STREAM}\r\n0\r\n\r\n", STREAM.len());
        client.send(if round % 2 == 0 { STREAM } else { &chunked }).await;
        client.until("\r\n\r\n{}").await;
        assert!(client.got.starts_with(b"HTTP/1.1 200"), "round {round}");
        client.got.clear();
    }
}
