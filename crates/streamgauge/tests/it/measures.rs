//! What is measured beyond the plain stream: service goals, slow clients, estimates, waste.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulator::{Scripted, Settings, Simulator, Step, TokenRange};
use tokio::net::TcpSocket;

use crate::exchange::{
    CHAT, Client, SILENT, STREAM, chunked_answer, one_token, post, record, request, start,
};
use crate::up::{DEADLINE, Up, ask};

async fn replica(itl: Duration) -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        itl,
        tokens: TokenRange { min: 40, max: 40 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// The lines of the proxy's own metrics.
async fn metrics(up: &Up) -> Vec<String> {
    let answer = ask(&up.ops, "GET", "/metrics", "").await;
    answer.lines().map(str::to_owned).collect()
}

/// Waits until the metrics hold a line. They are counted when a record is taken from the queue.
async fn counted(up: &Up, line: &str) {
    let waiting = async {
        while !metrics(up).await.iter().any(|other| other == line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "waited for `{line}` in {:#?}", metrics(up).await);
}

#[tokio::test]
async fn goals_are_judged_for_what_they_have_a_meaning_for() {
    let done = [&one_token()[..], b"data: [DONE]\n\n"].concat();
    let Some(Step::Send(wire)) = chunked_answer(&one_token(), &[]).pop() else {
        panic!("one step")
    };
    // Its end never comes.
    let cut = vec![Step::Send(wire.slice(..wire.len() - 5)), Step::Close];
    let scripts = vec![chunked_answer(&done, &[]), cut];
    let replica = Scripted::start(scripts).await.expect("a free port");
    let up = start(&[replica.url()], "slo: {ttft: 20s, tpot: 20s, e2e: 20s}").await;
    for (id, body, good) in [
        ("good", STREAM, Value::from(true)),
        ("bad", STREAM, Value::from(false)),
        ("theirs", r#"{"model":"a","model":"b"}"#, Value::Null),
    ] {
        post(&up, id, body).await;
        let record = record(&up, id).await;
        assert_eq!(record["good"], good, "{record}");
    }
    for line in [
        r#"streamgauge_slo_requests_total{result="good",slo="all"} 1"#,
        r#"streamgauge_slo_requests_total{result="bad",slo="all"} 1"#,
        r#"streamgauge_slo_requests_total{result="good",slo="ttft"} 2"#,
        r#"streamgauge_slo_requests_total{result="bad",slo="e2e"} 1"#,
    ] {
        counted(&up, line).await;
    }
    let answer = ask(&up.api, "GET", "/api/v1/summary?from=now-1h", "").await;
    let summary: Value =
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(
        summary["goodput"],
        serde_json::json!({"good": 1, "eligible": 2}),
        "{summary}"
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_forwarded_and_counted() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: ";
    let odd = vec![Step::Send(Bytes::from(format!(
        "{head}application/x-protobuf\r\n\r\n{{}}"
    )))];
    let coded = format!("{head}application/json\r\ncontent-encoding: br\r\n\r\n{{}}");
    let replica = Scripted::start(vec![odd, vec![Step::Send(Bytes::from(coded))]])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    for id in ["odd", "coded"] {
        assert_eq!(post(&up, id, STREAM).await.text(), "{}", "{id}");
        assert_eq!(record(&up, id).await["usage_source"], "none");
    }
    counted(&up, r#"streamgauge_parse_errors_total{kind="unknown_dialect"} 1"#).await;
    counted(&up, r#"streamgauge_parse_errors_total{kind="compressed"} 1"#).await;
}

/// Tokens in events of 64 KiB, far more than the sockets between replica and client hold.
fn bulk() -> Vec<u8> {
    let text = "x".repeat(64 * 1024);
    let event = format!(
        "data: {{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    let usage =
        r#"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":241,"total_tokens":242}}"#;
    [
        event.repeat(240).as_bytes(),
        usage.as_bytes(),
        b"\n\ndata: [DONE]\n\n",
    ]
    .concat()
}

#[tokio::test]
async fn the_time_of_a_slow_client_is_its_own() {
    let body = [one_token(), bulk()].concat();
    let mut script = chunked_answer(&body, &[one_token().len(), body.len() - 14]);
    let Some(Step::Send(wire)) = script.pop() else {
        panic!("one step")
    };
    let pieces = Step::pieces(&Bytes::from(wire.to_vec()), 256 * 1024);
    let plain = [one_token(), one_token(), b"data: [DONE]\n\n".to_vec()].concat();
    let plain = chunked_answer(&plain, &[one_token().len()]);
    let replica = Scripted::start(vec![plain, pieces]).await.expect("a free port");
    let up = start(&[replica.url()], "").await;
    post(&up, "quick", STREAM).await;
    let quick = record(&up, "quick").await;
    assert_eq!(quick["client_stall_ms"], 0.0, "{quick}");

    // A small window, so that the proxy's socket fills up soon.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("an open socket");
    let address = up.proxy.parse().expect("an address");
    let mut client = Client::over(socket.connect(address).await.expect("the port listens"));
    client.send(request(CHAT, "slow", STREAM)).await;
    stands_still(&up).await;
    assert!(
        client.end().await.text().ends_with("[DONE]\n\n"),
        "it gets everything all the same"
    );
    let slow = record(&up, "slow").await;
    assert_eq!(slow["outcome"], "success", "{slow}");
    assert!(
        slow["client_stall_ms"].as_f64().is_some_and(|ms| ms >= 150.0),
        "{slow}"
    );
    assert_eq!(
        slow["tpot_ms"],
        Value::Null,
        "a slow client says nothing about the model: {slow}"
    );
    assert_eq!(
        slow["completion_tokens"], 241,
        "its tokens are what they are: {slow}"
    );
    let flags = slow["flags"].as_array().expect("a list");
    assert!(flags.contains(&Value::from("slow_client")), "{slow}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_any_more_counts_as_gone() {
    let mut script = chunked_answer(&bulk(), &[]);
    script.push(Step::UntilGone);
    let replica = Scripted::start(vec![script]).await.expect("a free port");
    let up = start(&[replica.url()], "proxy: {write_deadline: 300ms}").await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("an open socket");
    let address = up.proxy.parse().expect("an address");
    let mut client = Client::over(socket.connect(address).await.expect("the port listens"));
    client.send(request(CHAT, "deaf", STREAM)).await;
    replica
        .wait_until("the replica to be freed", DEADLINE, |replica| {
            replica.departures() == 1
        })
        .await
        .expect("nobody waits for such a client");
    let deaf = record(&up, "deaf").await;
    assert_eq!(deaf["outcome"], "client_cancelled", "{deaf}");
    assert!(
        deaf["client_stall_ms"].as_f64().is_some_and(|ms| ms >= 300.0),
        "{deaf}"
    );
}

/// Waits until the proxy has taken in tokens of the second stream and then none for a while.
async fn stands_still(up: &Up) {
    let waiting = async {
        let (mut last, mut same) = (0, 0);
        while same < 12 {
            let lines = metrics(up).await;
            let events = lines.iter().find_map(|line| {
                let value = line.strip_prefix("streamgauge_stream_events_total{model_name=\"m\"} ")?;
                value.parse::<u64>().ok()
            });
            let events = events.unwrap_or(0);
            same = if events > 2 && events == last { same + 1 } else { 0 };
            last = events;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(
        waited.is_ok(),
        "waited for a stream that stands still: {:#?}",
        metrics(up).await
    );
}

#[tokio::test]
async fn what_is_not_reported_is_estimated_and_kept_apart() {
    let replica = replica(Duration::from_millis(1)).await;
    let up = start(&[replica.url()], "pools: [{usage: passthrough}]").await;
    post(&up, "unlearned", SILENT).await;
    let unlearned = record(&up, "unlearned").await;
    assert_eq!(
        unlearned["usage_source"], "none",
        "nothing to judge by yet: {unlearned}"
    );
    assert_eq!(unlearned["completion_tokens_est"], Value::Null);
    for round in 0..3 {
        post(&up, &format!("learn-{round}"), STREAM).await;
        record(&up, &format!("learn-{round}")).await;
    }
    post(&up, "estimated", SILENT).await;
    let estimated = record(&up, "estimated").await;
    assert_eq!(estimated["usage_source"], "estimated", "{estimated}");
    assert_eq!(estimated["completion_tokens_est"], 40, "{estimated}");
    assert_eq!(
        estimated["completion_tokens"],
        Value::Null,
        "no estimate in an exact column"
    );
    counted(
        &up,
        r#"streamgauge_generation_tokens_estimated_total{model_name="m"} 40"#,
    )
    .await;
    counted(&up, r#"streamgauge_generation_tokens_total{model_name="m"} 120"#).await;
}

#[tokio::test]
async fn with_running_counts_a_client_that_leaves_has_an_exact_count() {
    let replica = replica(Duration::from_millis(1)).await;
    let up = start(&[replica.url()], "pools: [{usage: continuous}]").await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "left", SILENT)).await;
    client.until("\"content\":\" ").await;
    let got = String::from_utf8_lossy(&client.got).into_owned();
    drop(client);
    assert!(
        !got.contains("usage"),
        "what the client did not ask for is not there: {got}"
    );
    let left = record(&up, "left").await;
    assert_eq!(
        (&left["outcome"], &left["usage_source"]),
        (&"client_cancelled".into(), &"continuous".into())
    );
    let tokens = left["completion_tokens"].as_u64().expect("a running count");
    assert_eq!(
        Some(tokens),
        left["token_events"].as_u64(),
        "one event is one token here: {left}"
    );
    let labels = r#"outcome="client_cancelled",pool="default",source="exact""#;
    counted(
        &up,
        &format!("streamgauge_wasted_tokens_total{{{labels}}} {tokens}"),
    )
    .await;
    // Whoever stays gets what it would have got without us.
    let whole = post(&up, "stayed", SILENT).await;
    assert!(!whole.text().contains("usage") && whole.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(record(&up, "stayed").await["completion_tokens"], 40);
}

#[tokio::test]
async fn tokens_for_a_client_that_left_are_waste() {
    let replica = replica(Duration::from_millis(1)).await;
    let up = start(&[replica.url()], "").await;
    for round in 0..3 {
        post(&up, &format!("learn-{round}"), STREAM).await;
        record(&up, &format!("learn-{round}")).await;
    }
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "left", STREAM)).await;
    client.until("\"content\":\" ").await;
    drop(client);
    let left = record(&up, "left").await;
    assert_eq!(left["outcome"], "client_cancelled", "{left}");
    let tokens = left["completion_tokens_est"].as_u64().expect("tokens were seen");
    assert_eq!(
        Some(tokens),
        left["token_events"].as_u64(),
        "one event is one token here: {left}"
    );
    let labels = r#"outcome="client_cancelled",pool="default",source="estimated""#;
    counted(
        &up,
        &format!("streamgauge_wasted_tokens_total{{{labels}}} {tokens}"),
    )
    .await;
}
