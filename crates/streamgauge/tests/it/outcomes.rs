//! The whole table of outcomes: each is played once against the real binary, and none is left over.
//!
//! `ends.rs` looks at the usual ones closely; here the point is that the set is complete.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use record::Outcome;
use rustix::process::Signal;
use simulator::{Scripted, Step};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::exchange::{
    CHAT, Client, STREAM, chunked_answer, nobody, one_token, post, record, request, start,
};
use crate::up::{DEADLINE, Up};

/// Short deadlines towards the replica, no second try, and no wait for a replica that may come back.
const IMPATIENT: &str = "pools: [{timeouts: {connect: 300ms, first_byte: 300ms, idle: 300ms, total: 900ms}, \
                         retries: {attempts: 1}, queue: {timeout: 200ms}, health: {interval: 600s}}]";

/// A stream that has begun, and what follows.
fn begun(next: Step) -> Vec<Step> {
    let Some(Step::Send(wire)) = chunked_answer(&one_token(), &[]).pop() else {
        panic!("one step")
    };
    vec![Step::Send(wire.slice(..wire.len() - 5)), next]
}

fn json(status: &str, body: &str, length: usize) -> Vec<Step> {
    let wire = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    vec![Step::Send(Bytes::from(wire)), Step::Close]
}

async fn played(script: Vec<Step>, id: &str) -> String {
    let replica = Scripted::start(vec![script]).await.expect("a free port");
    let up = start(&[replica.url()], IMPATIENT).await;
    post(&up, id, STREAM).await;
    outcome(&up, id).await
}

async fn outcome(up: &Up, id: &str) -> String {
    let record = record(up, id).await;
    record["outcome"]
        .as_str()
        .expect("every record has one")
        .to_owned()
}

#[tokio::test]
async fn each_script_of_a_replica_has_its_outcome() {
    let done = [&one_token()[..], b"data: [DONE]\n\n"].concat();
    let error = [&one_token()[..], b"data: {\"error\":{\"type\":\"E\"}}\n\n"].concat();
    // A token every 200 ms: it never stands still, and never ends in time.
    let slow: Vec<Step> = begun(Step::Pause(Duration::ZERO))
        .into_iter()
        .chain(trickle())
        .collect();
    for (id, script, expected) in [
        ("success", chunked_answer(&done, &[]), Outcome::Success),
        (
            "client-error",
            json("400 Bad Request", "{}", 2),
            Outcome::ClientError,
        ),
        (
            "upstream-error",
            json("500 Internal Server Error", "{}", 2),
            Outcome::UpstreamError,
        ),
        ("reset", vec![Step::Reset], Outcome::UpstreamError),
        (
            "garbage",
            vec![Step::Send(Bytes::from_static(b"SSH-2.0-x\r\n\r\n"))],
            Outcome::UpstreamError,
        ),
        ("stream-error", chunked_answer(&error, &[]), Outcome::StreamError),
        ("truncated", begun(Step::Close), Outcome::UpstreamTruncated),
        (
            "short-body",
            json("200 OK", "{\"a\":", 100),
            Outcome::UpstreamTruncated,
        ),
        ("first-byte", vec![Step::UntilGone], Outcome::TimeoutFirstByte),
        ("idle", begun(Step::UntilGone), Outcome::TimeoutIdle),
        ("total", slow, Outcome::TimeoutTotal),
    ] {
        assert_eq!(played(script, id).await, expected.as_str(), "{id}");
    }
}

/// A token every 200 ms for longer than anybody waits.
fn trickle() -> impl Iterator<Item = Step> {
    let token = one_token();
    let chunk = Bytes::from([format!("{:x}\r\n", token.len()).as_bytes(), &token, b"\r\n"].concat());
    (0..20).flat_map(move |_| [Step::Send(chunk.clone()), Step::Pause(Duration::from_millis(200))])
}

#[tokio::test]
async fn the_outcomes_around_a_replica_complete_the_table() {
    let mut seen = BTreeSet::new();
    // Nobody listens: the first request may find out by itself, a later one finds no replica.
    let up = start(&[nobody().await], IMPATIENT).await;
    for id in ["nobody-1", "nobody-2", "nobody-3"] {
        post(&up, id, STREAM).await;
        seen.insert(outcome(&up, id).await);
    }
    // A full backlog answers no connection.
    let (_listener, _waiting, address) = full_backlog().await;
    let up = start(&[format!("http://{address}")], IMPATIENT).await;
    post(&up, "blackhole", STREAM).await;
    seen.insert(outcome(&up, "blackhole").await);

    let replica = Scripted::start(vec![begun(Step::UntilGone)])
        .await
        .expect("a free port");
    let config = "proxy: {max_in_flight: 1, grace: 1s, shutdown_lag: 0ms}";
    let mut up = start(&[replica.url()], config).await;
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "held", STREAM)).await;
    client.until("\"content\":\"a\"").await;
    post(&up, "one-too-many", STREAM).await;
    seen.insert(outcome(&up, "one-too-many").await);
    drop(client);
    seen.insert(outcome(&up, "held").await);

    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "cut", STREAM)).await;
    client.until("\"content\":\"a\"").await;
    up.signal(Signal::TERM);
    up.ended().await;
    seen.insert(stored_outcome(&up, "cut").await);

    let all: BTreeSet<String> = Outcome::ALL.iter().map(ToString::to_string).collect();
    let by_script = [
        "success",
        "client_error",
        "stream_error",
        "upstream_truncated",
        "timeout_first_byte",
    ];
    seen.extend(by_script.map(str::to_owned));
    seen.extend(["upstream_error", "timeout_idle", "timeout_total"].map(str::to_owned));
    assert_eq!(seen, all, "every outcome is played here or in the test above");
}

/// A listener whose queue is full: further connections get no answer, as from a host that has vanished.
async fn full_backlog() -> (TcpListener, Vec<TcpStream>, std::net::SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("a bound socket");
    let address = listener.local_addr().expect("a bound socket");
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    (listener, waiting, address)
}

/// The outcome of a request in the ledger of processes that have ended.
async fn stored_outcome(up: &Up, id: &str) -> String {
    let reader = ledger::Reader::open(&up.ledger).expect("the ledger is there");
    let reading = async {
        let query = ledger::Query {
            from: record::UnixMillis(0),
            to: record::UnixMillis(i64::MAX >> 22),
            filter: ledger::Filter::default(),
        };
        let page = ledger::Page {
            limit: ledger::PAGE_LIMIT_MAX,
            cursor: None,
        };
        reader.requests(&query, &page).await.expect("a page")
    };
    let answer = tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("a page in time");
    let record = answer.records.iter().find(|record| &*record.id == id);
    record
        .unwrap_or_else(|| panic!("no record of {id}"))
        .outcome
        .to_string()
}
