//! Every fault as a client sees it: which bytes come, how the connection ends, what the replica counts.

use std::net::SocketAddr;

use crate::client::{Answer, DEADLINE, ask, chat, post, read_answer};
use simulator::{Fault, FaultRate, Settings, Simulator};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn start() -> Simulator {
    Simulator::start(Settings::default())
        .await
        .expect("loopback has a free port")
}

async fn suffer(addr: SocketAddr, fault: &str) -> Answer {
    ask(
        addr,
        &chat(&format!("x-sim-fault: {fault}\r\nx-sim-tokens: 8\r\n"), ""),
    )
    .await
}

#[tokio::test]
async fn a_cut_ends_inside_the_body_and_a_proper_end_does_not() {
    let replica = start().await;
    let cut = suffer(replica.addr(), "cut=3").await;
    assert_eq!(
        (cut.events().len(), cut.whole, cut.reset),
        (3, false, false),
        "{cut:?}"
    );
    let end = suffer(replica.addr(), "end=3").await;
    assert_eq!((end.events().len(), end.whole), (3, true), "{end:?}");
    assert!(
        !end.body.contains("[DONE]") && !end.body.contains("\"stop\""),
        "no terminal event: {}",
        end.body
    );
    let silent = suffer(replica.addr(), "no-done").await;
    assert!(silent.whole && !silent.body.contains("[DONE]"));
    assert_eq!(replica.stats().aborted(), 0, "the replica broke these itself");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_nothing_comes_before_a_cut_at_zero() {
    let replica = start().await;
    let reset = suffer(replica.addr(), "reset=2").await;
    assert!(reset.reset && !reset.whole, "{reset:?}");
    assert_eq!(
        reset.events().len(),
        2,
        "what was sent before the reset arrives on loopback"
    );
    let early = suffer(replica.addr(), "cut=0").await;
    assert_eq!((early.head.as_str(), early.reset), ("", false), "not even a head");
    let early = suffer(replica.addr(), "reset=0").await;
    assert_eq!((early.head.as_str(), early.reset), ("", true));
}

#[tokio::test]
async fn an_error_event_stands_inside_a_200_that_ends_properly() {
    let replica = start().await;
    let answer = suffer(replica.addr(), "error=2").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.whole);
    let events = answer.events();
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(
        events[2].starts_with("{\"error\": {"),
        "with spaces, as vLLM sends it: {}",
        events[2]
    );
    assert_eq!(events[3], "[DONE]");
    let body = r#"{"messages":[]}"#;
    let whole = ask(
        replica.addr(),
        &post("/v1/chat/completions", "x-sim-fault: error\r\n", body),
    )
    .await;
    assert_eq!(
        whole.status(),
        500,
        "without a stream there is a status left to say it"
    );
}

#[tokio::test]
async fn a_status_comes_with_an_error_body_and_a_hint_to_retry() {
    let replica = start().await;
    for status in [429, 500, 503] {
        let answer = suffer(replica.addr(), &format!("status={status}")).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.json()["error"]["code"], status);
        assert_eq!(
            answer.head.contains("retry-after: 1\r\n"),
            status != 500,
            "{}",
            answer.head
        );
    }
}

#[tokio::test]
async fn a_broken_event_is_not_json_and_the_rest_goes_on() {
    let replica = start().await;
    let answer = suffer(replica.addr(), "malformed=2").await;
    assert_eq!(
        answer.events().len(),
        11,
        "role, eight tokens, the broken one, [DONE]"
    );
    assert!(serde_json::from_str::<serde_json::Value>(answer.events()[2]).is_err());
    assert_eq!(answer.chunks().len(), 9);
}

#[tokio::test]
async fn split_and_coalesced_events_say_the_same_in_other_chunks() {
    let replica = start().await;
    let same = "x-request-id: one\r\n";
    let plain = ask(replica.addr(), &chat(&format!("{same}x-sim-tokens: 6\r\n"), "")).await;
    let split = ask(
        replica.addr(),
        &chat(&format!("{same}x-sim-tokens: 6\r\nx-sim-fault: split\r\n"), ""),
    )
    .await;
    let merged = ask(
        replica.addr(),
        &chat(
            &format!("{same}x-sim-tokens: 6\r\nx-sim-fault: coalesce=3\r\n"),
            "",
        ),
    )
    .await;
    let said = |answer: &Answer| {
        answer
            .chunks()
            .iter()
            .map(|chunk| chunk["choices"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&split), said(&plain), "cut differently, said the same");
    assert_eq!(said(&merged), said(&plain));
    assert!(
        split.raw.starts_with(b"1\r\nd\r\n3\r\nata\r\n5\r\n: {\"i\r\n"),
        "pieces of 1, 3, 5 bytes"
    );
    let writes = |answer: &Answer| answer.raw.len() - answer.body.len();
    assert!(writes(&merged) < writes(&plain), "fewer chunks, less framing");
}

#[tokio::test]
async fn pings_come_before_the_first_token_and_are_no_events() {
    let replica = start().await;
    let headers = "x-sim-fault: ping=2\r\nx-sim-ttft-ms: 40\r\nx-sim-tokens: 1\r\n";
    let answer = ask(replica.addr(), &chat(headers, "")).await;
    assert!(
        answer.body.starts_with(": keep-alive\n\n: keep-alive\n\n"),
        "{}",
        answer.body
    );
    assert_eq!(answer.events().len(), 3);
}

#[tokio::test]
async fn no_usage_means_none_even_when_asked() {
    let replica = start().await;
    let answer = ask(
        replica.addr(),
        &chat(
            "x-sim-fault: no-usage\r\n",
            r#","stream_options":{"include_usage":true}"#,
        ),
    )
    .await;
    assert!(answer.whole && !answer.body.contains("usage"), "{}", answer.body);
    let body = r#"{"messages":[]}"#;
    let whole = ask(
        replica.addr(),
        &post("/v1/chat/completions", "x-sim-fault: no-usage\r\n", body),
    )
    .await;
    assert_eq!(whole.json().get("usage"), None);
}

#[tokio::test]
async fn whole_bodies_break_too() {
    let replica = start().await;
    let body = r#"{"messages":[]}"#;
    let suffer = async |fault: &str| {
        let header = format!("x-sim-fault: {fault}\r\n");
        ask(replica.addr(), &post("/v1/chat/completions", &header, body)).await
    };
    let cut = suffer("cut=5").await;
    assert!(
        cut.status() == 200 && !cut.whole && !cut.body.is_empty(),
        "half a body: {cut:?}"
    );
    assert!(suffer("reset=5").await.reset);
    let malformed = suffer("malformed").await;
    assert!(malformed.whole && serde_json::from_str::<serde_json::Value>(&malformed.body).is_err());
    let split = suffer("split,slow-head=10,stall=5").await;
    assert!(split.whole && split.json()["usage"].is_object());
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_in_every_phase() {
    let replica = start().await;
    let phases = [
        ("prefill", "x-sim-ttft-ms: 600000\r\n"),
        ("between tokens", "x-sim-itl-ms: 600000\r\n"),
        ("a hang", "x-sim-fault: hang\r\n"),
        ("a stall", "x-sim-fault: stall\r\n"),
    ];
    for (count, (phase, headers)) in (1..).zip(phases) {
        let mut stream = TcpStream::connect(replica.addr()).await.unwrap();
        stream.write_all(chat(headers, "").as_bytes()).await.unwrap();
        replica
            .wait_until("the request to arrive", DEADLINE, |stats| {
                stats.requests() == count
            })
            .await
            .unwrap();
        drop(stream);
        replica
            .wait_until(&format!("the abort in {phase}"), DEADLINE, |stats| {
                stats.aborted() == count
            })
            .await
            .unwrap();
    }
    assert_eq!(replica.stats().running(), 0, "every seat is free again");
    assert!(replica.stats().last_abort().is_some());
}

#[tokio::test]
async fn a_whole_answer_stops_generating_when_the_client_leaves() {
    let replica = start().await;
    let mut stream = TcpStream::connect(replica.addr()).await.unwrap();
    let headers = "x-sim-itl-ms: 2\r\nx-sim-tokens: 100000\r\n";
    stream
        .write_all(post("/v1/chat/completions", headers, r#"{"messages":[]}"#).as_bytes())
        .await
        .unwrap();
    replica
        .wait_until("some tokens", DEADLINE, |stats| stats.tokens_generated() > 3)
        .await
        .unwrap();
    drop(stream);
    replica
        .wait_until("the abort", DEADLINE, |stats| stats.aborted() == 1)
        .await
        .unwrap();
    assert!(
        replica.stats().tokens_generated() < 100_000,
        "it did not run to the end"
    );
}

#[tokio::test]
async fn faults_come_by_model_suffix_by_method_and_by_chance() {
    let always = FaultRate {
        fault: Fault::Status(429),
        rate: 1.0,
    };
    let replica = Simulator::start(Settings {
        faults: vec![always],
        ..Settings::default()
    })
    .await
    .unwrap();
    assert_eq!(ask(replica.addr(), &chat("", "")).await.status(), 429);
    let replica = start().await;
    let body = r#"{"model":"sim-model#cut=1","messages":[],"stream":true}"#;
    let answer = ask(replica.addr(), &post("/v1/chat/completions", "", body)).await;
    assert_eq!((answer.events().len(), answer.whole), (1, false));
    assert_eq!(
        answer.chunks()[0]["model"],
        "sim-model",
        "the suffix is no part of the name"
    );
    replica.set_faults(vec![Fault::Status(503)]);
    assert_eq!(ask(replica.addr(), &chat("", "")).await.status(), 503);
    replica.set_faults(Vec::new());
    assert_eq!(ask(replica.addr(), &chat("", "")).await.status(), 200);
    assert_eq!(
        suffer(replica.addr(), "nonsense").await.status(),
        400,
        "a typo is no silent success"
    );
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again() {
    let replica = start().await;
    let mut kept = TcpStream::connect(replica.addr()).await.unwrap();
    replica
        .wait_until("the accept", DEADLINE, |stats| stats.open_connections() == 1)
        .await
        .unwrap();
    replica.refuse_connections().await;
    let refused = TcpStream::connect(replica.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    kept.write_all(chat("", "").as_bytes()).await.unwrap();
    assert!(read_answer(&mut kept).await.whole, "open connections go on");
    replica.accept_connections().await;
    assert_eq!(ask(replica.addr(), &chat("", "")).await.status(), 200);
    replica.ignore_connections().await;
    let served = replica.stats().connections();
    let _unanswered = TcpStream::connect(replica.addr())
        .await
        .expect("the kernel still takes it");
    assert_eq!(replica.stats().connections(), served, "nobody picked it up");
    let addr = replica.addr();
    replica.stop().await;
    assert!(
        TcpStream::connect(addr).await.is_err(),
        "a stopped replica is gone"
    );
}
