//! The scripted upstream: exact bytes out, exact requests in.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{DEADLINE, ask, post, read_answer};
use bytes::Bytes;
use simulator::{Scripted, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn the_bytes_are_those_of_the_script_however_they_are_cut() {
    let bytes = Bytes::from_static(ANSWER);
    let scripts = vec![
        Step::pieces(&bytes, 1),
        Step::cut_at(&bytes, &[3, 20, 9_999, 3, 0]),
    ];
    assert_eq!(scripts[1].len(), 3, "two cuts that lie inside make three pieces");
    let upstream = Scripted::start(scripts).await.unwrap();
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    for round in 0..3 {
        stream
            .write_all(post("/v1/x", &format!("x-round: {round}\r\n"), "body").as_bytes())
            .await
            .unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(
            [answer.head.as_bytes(), &answer.raw].concat(),
            ANSWER,
            "round {round}"
        );
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2].header("x-round"), Some("2"));
    assert_eq!(&requests[0].body[..], b"body");
    assert_eq!(
        upstream.connections(),
        1,
        "a script without a close keeps the connection"
    );
}

#[tokio::test]
async fn a_script_waits_for_the_test_and_notices_a_client_that_leaves() {
    let go = Arc::new(Notify::new());
    let script = vec![
        Step::Send(Bytes::from_static(
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n",
        )),
        Step::Await(Arc::clone(&go)),
        Step::Send(Bytes::from_static(b"part")),
        Step::UntilGone,
    ];
    let upstream = Scripted::start(vec![script]).await.unwrap();
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    stream.write_all(post("/", "", "").as_bytes()).await.unwrap();
    upstream
        .wait_until("the request", DEADLINE, |upstream| upstream.requests().len() == 1)
        .await
        .unwrap();
    go.notify_one();
    let mut seen = Vec::new();
    while !seen.ends_with(b"part") {
        let read = tokio::time::timeout(DEADLINE, stream.read_buf(&mut seen))
            .await
            .expect("the part in time");
        assert_ne!(read.unwrap(), 0, "the script does not close");
    }
    drop(stream);
    upstream
        .wait_until("the departure", DEADLINE, |upstream| upstream.departures() == 1)
        .await
        .unwrap();
    upstream
        .wait_until("the close", DEADLINE, |upstream| upstream.open_connections() == 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_script_can_close_reset_and_speak_first() {
    let half = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    let scripts = vec![
        vec![Step::Send(half.clone()), Step::Close],
        vec![
            Step::Send(half),
            Step::Pause(Duration::from_millis(1)),
            Step::Reset,
        ],
    ];
    let upstream = Scripted::start(scripts).await.unwrap();
    let closed = ask(upstream.addr(), &post("/", "", "")).await;
    assert_eq!(
        (closed.body.as_str(), closed.whole, closed.reset),
        ("half", false, false)
    );
    let reset = ask(upstream.addr(), &post("/", "", "")).await;
    assert_eq!((reset.whole, reset.reset), (false, true));
    let eager = Scripted::start_on_connect(vec![vec![Step::Send(Bytes::from_static(b"hi")), Step::Close]])
        .await
        .unwrap();
    let mut text = String::new();
    let mut stream = TcpStream::connect(eager.addr()).await.unwrap();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut text))
        .await
        .expect("in time")
        .unwrap();
    assert_eq!(text, "hi");
    assert!(eager.requests().is_empty(), "nothing was read");
}
