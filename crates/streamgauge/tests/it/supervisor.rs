//! `up` from outside: where it listens, and what clients notice of crashes, replacements and the end.
//! Nothing.

use std::time::Duration;

use rustix::process::Signal;
use simulator::{Settings, Simulator, TokenRange, wait_until};

use crate::exchange::{CHAT, Client, request};
use crate::records::records;
use crate::up::{DEADLINE, Up, ask, is_alive, send};

pub(crate) const STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;

/// A replica whose answers take about a second: long enough to be in the middle of one, short enough to wait
/// for.
pub(crate) async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(20),
        itl: Duration::from_millis(25),
        jitter: 0.0,
        tokens: TokenRange { min: 40, max: 40 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

pub(crate) async fn waited(what: &str, condition: impl FnMut() -> bool) {
    let waited = wait_until(what, DEADLINE, condition).await;
    assert!(waited.is_ok(), "{waited:?}");
}

/// Begins a stream and returns once the replica works on it.
pub(crate) async fn streaming(up: &Up, replica: &Simulator) -> tokio::task::JoinHandle<String> {
    let before = replica.stats().running();
    let address = up.proxy.clone();
    let stream = tokio::spawn(async move { ask(&address, "POST", "/v1/chat/completions", STREAM).await });
    waited("the stream to reach the replica", || {
        replica.stats().running() > before
    })
    .await;
    stream
}

pub(crate) async fn assert_whole(stream: tokio::task::JoinHandle<String>) {
    let text = stream.await.expect("the client does not panic");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(
        text.contains("data: [DONE]"),
        "the stream came to its end: {text}"
    );
}

#[tokio::test]
async fn the_start_tells_where_and_in_front_of_what() {
    let replica = replica().await;
    let nobody = "http://127.0.0.1:9";
    let up = Up::start(&["--upstream", &replica.url(), "--upstream", nobody]).await;
    let block = up.banner.join("\n");
    assert!(block.contains("replicas   1 of 2 answers"), "{block}");
    assert!(block.contains(&format!("{}   up, m", replica.url())), "{block}");
    assert!(
        block.contains(&format!("{nobody}   DOWN, connection refused")),
        "{block}"
    );
    assert!(!up.proxy.ends_with(":0"), "the real port is told: {}", up.proxy);
    let answer = ask(&up.proxy, "GET", "/v1/models", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for (address, path) in [(&up.ops, "/healthz"), (&up.api, "/healthz")] {
        let answer = ask(address, "GET", path, "").await;
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "{path} at {address}: {answer}"
        );
    }
    assert!(up.stop().await.success(), "SIGTERM ends with 0");
}

#[tokio::test]
async fn a_client_that_comes_while_the_proxy_is_dead_is_served() {
    let replica = replica().await;
    let up = Up::start(&["--upstream", &replica.url()]).await;
    let dead = up.proxy_pid().expect("a proxy runs");
    send(dead, Signal::KILL);
    waited("the proxy to be dead", || !is_alive(dead)).await;
    let answer = ask(&up.proxy, "GET", "/v1/models", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "the backlog outlives the proxy: {answer}"
    );
    assert_ne!(up.proxy_pid(), Some(dead), "another proxy answered");
    up.logged("proxy was killed by signal 9").await;
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_dead_api_comes_back_on_its_port() {
    let up = Up::start(&["--upstream", "http://127.0.0.1:9"]).await;
    let dead = up.children()["metrics-api"];
    send(dead, Signal::KILL);
    waited("the API to be dead", || !is_alive(dead)).await;
    let answer = ask(&up.api, "GET", "/healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_replacement_breaks_no_stream_and_refuses_nobody() {
    let replica = replica().await;
    let up = Up::start(&["--upstream", &replica.url()]).await;
    let old = up.proxy_pid().expect("a proxy runs");
    let stream = streaming(&up, &replica).await;
    up.signal(Signal::QUIT);
    up.logged("proxy was replaced").await;
    assert!(is_alive(old), "the old proxy still has a stream to finish");
    let answer = ask(&up.proxy, "GET", "/v1/models", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_whole(stream).await;
    waited("the old proxy to leave", || !is_alive(old)).await;
    let answer = ask(&up.ops, "GET", "/readyz", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "the ops port leads to the new proxy: {answer}"
    );
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn the_end_lets_a_running_stream_finish() {
    let replica = replica().await;
    let mut up = Up::start(&["--upstream", &replica.url()]).await;
    let stream = streaming(&up, &replica).await;
    up.signal(Signal::TERM);
    assert_whole(stream).await;
    assert!(up.ended().await.success(), "{:#?}", up.log());
}

#[tokio::test]
async fn children_do_not_outlive_a_killed_supervisor() {
    let mut up = Up::start(&["--upstream", "http://127.0.0.1:9"]).await;
    let children = up.children();
    assert_eq!(children.keys().collect::<Vec<_>>(), ["metrics-api", "proxy"]);
    up.signal(Signal::KILL);
    up.ended().await;
    waited("both children to leave", || {
        children.values().all(|pid| !is_alive(*pid))
    })
    .await;
}

#[tokio::test]
async fn a_second_request_to_end_cuts_the_running_stream_and_keeps_its_record() {
    let settings = Settings {
        models: vec!["m".to_owned()],
        itl: Duration::from_secs(600),
        ..Settings::default()
    };
    let replica = Simulator::start(settings).await.expect("a free port");
    let mut up = Up::start(&["--upstream", &replica.url()]).await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "cut-short", STREAM)).await;
    client.until("\"content\":\" ").await;
    up.signal(Signal::TERM);
    up.logged("draining: 1 requests are in flight").await;
    // Signals within a second of the first are its echo.
    let again = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            up.signal(Signal::TERM);
            if up.log().iter().any(|line| line.contains("stopping at once")) {
                return;
            }
        }
    };
    let asked = tokio::time::timeout(DEADLINE, again).await;
    assert!(asked.is_ok(), "log: {:#?}", up.log());
    assert!(up.ended().await.success(), "log: {:#?}", up.log());
    let records = records(&up).await;
    let [record] = records.as_slice() else {
        panic!("one row: {records:#?}; log: {:#?}", up.log())
    };
    assert_eq!(record.outcome, record::Outcome::Abandoned);
    assert_eq!(&*record.id, "cut-short");
}
