//! What a client gets from a simulated replica when nothing goes wrong, over real sockets.

use std::time::Duration;

use crate::client::{DEADLINE, ask, chat, post, read_answer};
use simulator::{Settings, Simulator};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn start(settings: Settings) -> Simulator {
    Simulator::start(settings)
        .await
        .expect("loopback has a free port")
}

#[tokio::test]
async fn a_chat_stream_is_role_tokens_usage_done() {
    let replica = start(Settings::default()).await;
    let request = chat(
        "x-request-id: abc\r\nx-sim-tokens: 3\r\n",
        r#","stream_options":{"include_usage":true}"#,
    );
    let answer = ask(replica.addr(), &request).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.whole, "the last chunk came");
    assert!(
        answer
            .head
            .contains("content-type: text/event-stream; charset=utf-8\r\n"),
        "{}",
        answer.head
    );
    let events = answer.events();
    assert_eq!(events.len(), 6, "role, three tokens, usage, [DONE]: {events:?}");
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks = answer.chunks();
    assert_eq!(chunks[0]["id"], "chatcmpl-abc", "the request id is the id's base");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], serde_json::Value::Null);
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[4]["choices"], serde_json::json!([]));
    assert_eq!(chunks[4]["usage"]["completion_tokens"], 3);
    assert_eq!(replica.stats().tokens_generated(), 3);
    assert_eq!(replica.stats().completed(), 1);
}

#[tokio::test]
async fn usage_comes_only_when_asked_for() {
    let replica = start(Settings::default()).await;
    let answer = ask(replica.addr(), &chat("", "")).await;
    assert!(!answer.body.contains("usage"), "nobody asked: {}", answer.body);
    let running = r#","stream_options":{"include_usage":true,"continuous_usage_stats":true}"#;
    let answer = ask(replica.addr(), &chat("x-sim-tokens: 4\r\n", running)).await;
    let counts: Vec<_> = answer
        .chunks()
        .iter()
        .map(|chunk| chunk["usage"]["completion_tokens"].as_u64())
        .collect();
    assert_eq!(
        counts,
        [0, 1, 2, 3, 4, 4].map(Some),
        "each event counts up, the last one sums"
    );
}

#[tokio::test]
async fn two_choices_are_interleaved_and_summed() {
    let replica = start(Settings::default()).await;
    let more = r#","n":2,"stream_options":{"include_usage":true}"#;
    let answer = ask(replica.addr(), &chat("x-sim-tokens: 2\r\n", more)).await;
    let chunks = answer.chunks();
    let indices: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["index"].as_u64())
        .collect();
    assert_eq!(
        indices,
        [0, 1, 0, 1, 0, 1],
        "two role events, then the tokens in turn"
    );
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn reasoning_comes_first_and_is_counted() {
    let replica = start(Settings {
        reasoning: 0.5,
        ..Settings::default()
    })
    .await;
    let more = r#","stream_options":{"include_usage":true}"#;
    let answer = ask(replica.addr(), &chat("x-sim-tokens: 4\r\n", more)).await;
    let chunks = answer.chunks();
    let delta = |at: usize| chunks[at]["choices"][0]["delta"].clone();
    assert!(
        delta(1)["reasoning"].is_string() && delta(2)["reasoning"].is_string(),
        "{chunks:?}"
    );
    assert!(
        delta(3)["content"].is_string() && delta(4)["content"].is_string(),
        "{chunks:?}"
    );
    assert_eq!(
        chunks[5]["usage"]["completion_tokens_details"]["reasoning_tokens"],
        2
    );
}

#[tokio::test]
async fn whole_answers_and_text_completions_have_their_shapes() {
    let replica = start(Settings::default()).await;
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#;
    let answer = ask(replica.addr(), &post("/v1/chat/completions", "", body)).await;
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["choices"][0]["finish_reason"], "length");
    assert_eq!(json["usage"]["completion_tokens"], 5);
    let answer = ask(
        replica.addr(),
        &post("/v1/completions", "", r#"{"prompt":"once upon"}"#),
    )
    .await;
    assert_eq!(answer.json()["object"], "text_completion");
    assert!(answer.json()["choices"][0]["text"].is_string());
    let body = r#"{"prompt":"once upon","stream":true,"max_tokens":2}"#;
    let answer = ask(replica.addr(), &post("/v1/completions", "", body)).await;
    let chunks = answer.chunks();
    assert_eq!(chunks.len(), 2, "no role event in text completions");
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn embeddings_come_as_floats_or_base64() {
    let replica = start(Settings::default()).await;
    let body = r#"{"model":"sim-model","input":["a","b"]}"#;
    let answer = ask(replica.addr(), &post("/v1/embeddings", "", body)).await;
    assert_eq!(
        answer.json()["data"].as_array().unwrap().len(),
        2,
        "one vector for each input"
    );
    assert!(answer.json()["data"][1]["embedding"][0].is_number());
    let body = r#"{"input":"a","encoding_format":"base64","dimensions":3}"#;
    let answer = ask(replica.addr(), &post("/v1/embeddings", "", body)).await;
    assert_eq!(
        answer.json()["data"][0]["embedding"].as_str().unwrap().len(),
        16,
        "twelve bytes in base64"
    );
}

#[tokio::test]
async fn refusals_have_the_bodies_of_vllm() {
    let replica = start(Settings::default()).await;
    let unknown = post(
        "/v1/chat/completions",
        "",
        r#"{"model":"nope","messages":[],"stream":true}"#,
    );
    let answer = ask(replica.addr(), &unknown).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json()["error"]["type"], "NotFoundError");
    let answer = ask(replica.addr(), &post("/v1/chat/completions", "", "{not json")).await;
    assert_eq!(
        (answer.status(), &answer.json()["error"]["code"]),
        (400, &serde_json::json!(400))
    );
    let answer = ask(replica.addr(), "GET /nothing HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(
        (answer.status(), answer.body.as_str()),
        (404, r#"{"detail":"Not Found"}"#)
    );
    let answer = ask(replica.addr(), "DELETE /health HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(answer.status(), 405);
    let answer = ask(replica.addr(), "\u{16}\u{3}\u{1} no http\r\n\r\n").await;
    assert_eq!(
        (answer.status(), answer.body.as_str()),
        (400, "Invalid HTTP request received.")
    );
}

#[tokio::test]
async fn the_small_pages_answer() {
    let replica = start(Settings {
        models: vec!["a".into(), "b".into()],
        ..Settings::default()
    })
    .await;
    let get =
        async |path: &str| ask(replica.addr(), &format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n")).await;
    assert_eq!(get("/health").await.status(), 200);
    replica.set_healthy(false);
    assert_eq!(get("/health").await.status(), 503);
    assert_eq!(get("/v1/models").await.json()["data"][1]["id"], "b");
    assert_eq!(get("/version").await.json()["version"], "0.33.0");
    assert!(get("/metrics").await.body.contains("vllm:num_requests_running{"));
}

#[tokio::test]
async fn a_repeated_prompt_is_cached_and_one_connection_serves_many() {
    let replica = start(Settings::default()).await;
    let long = "river ".repeat(100);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#);
    let mut stream = TcpStream::connect(replica.addr()).await.unwrap();
    let mut cached = Vec::new();
    for _ in 0..2 {
        stream
            .write_all(post("/v1/chat/completions", "", &body).as_bytes())
            .await
            .unwrap();
        let answer = read_answer(&mut stream).await;
        cached.push(
            answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
                .as_u64()
                .unwrap(),
        );
    }
    assert_eq!(cached[0], 0);
    assert!(
        cached[1] >= 128,
        "600 bytes are nine blocks, but {} tokens were cached",
        cached[1]
    );
    assert_eq!(replica.stats().connections(), 1, "the connection was kept");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_chunked_body_is_read() {
    let replica = start(Settings {
        keep_alive: Duration::from_millis(30),
        capture: 4,
        ..Settings::default()
    })
    .await;
    let mut stream = TcpStream::connect(replica.addr()).await.unwrap();
    let request = "POST /v1/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n\
        6\r\n{\"prom\r\nA\r\npt\":\"abc\"}\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status(), 200);
    assert_eq!(&replica.requests()[0].body[..], br#"{"prompt":"abc"}"#);
    replica
        .wait_until("the idle close", DEADLINE, |stats| stats.open_connections() == 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn requests_above_the_batch_wait_in_line() {
    let replica = start(Settings {
        max_num_seqs: 1,
        ..Settings::default()
    })
    .await;
    let first = TcpStream::connect(replica.addr()).await.unwrap();
    let mut first = first;
    first
        .write_all(chat("x-sim-ttft-ms: 60000\r\n", "").as_bytes())
        .await
        .unwrap();
    replica
        .wait_until("one running", DEADLINE, |stats| stats.running() == 1)
        .await
        .unwrap();
    let mut second = TcpStream::connect(replica.addr()).await.unwrap();
    second.write_all(chat("", "").as_bytes()).await.unwrap();
    replica
        .wait_until("one waiting", DEADLINE, |stats| stats.waiting() == 1)
        .await
        .unwrap();
    drop(first);
    assert!(
        read_answer(&mut second).await.whole,
        "the seat of the one that left is taken"
    );
    assert_eq!(replica.stats().aborted(), 1);
}
