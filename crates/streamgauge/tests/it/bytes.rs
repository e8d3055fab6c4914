//! The client's bytes come first: what a replica sends is what the client gets, and the other way round.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use simulator::{Scripted, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::exchange::{
    CHAT, Client, SILENT, STREAM, chunked_answer, one_token, post, record, request, start,
};
use crate::up::DEADLINE;

/// Bodies of answers that real servers sent.
const CAPTURES: [(&str, &[u8]); 5] = [
    (
        "vllm",
        include_bytes!("../../../observer/vectors/captures/vllm.raw"),
    ),
    (
        "vllm-cont",
        include_bytes!("../../../observer/vectors/captures/vllm-cont.raw"),
    ),
    ("ll", include_bytes!("../../../observer/vectors/captures/ll.raw")),
    (
        "ll-messages",
        include_bytes!("../../../observer/vectors/captures/ll-messages.raw"),
    ),
    (
        "ll-responses",
        include_bytes!("../../../observer/vectors/captures/ll-responses.raw"),
    ),
];

fn body_of(capture: &[u8]) -> &[u8] {
    let head = capture.windows(4).position(|window| window == b"\r\n\r\n");
    &capture[head.map_or(0, |end| end + 4)..]
}

/// Offsets where a body is cut, and pieces in which its wire bytes are written.
fn cuts(random: &mut SmallRng, len: usize) -> Vec<usize> {
    let mut cuts: Vec<_> = (0..random.random_range(0..60))
        .map(|_| random.random_range(0..=len))
        .collect();
    cuts.sort_unstable();
    cuts
}

#[tokio::test]
async fn recorded_answers_reach_the_client_byte_for_byte_at_any_split() {
    let mut random = SmallRng::seed_from_u64(7);
    let mut scripts = Vec::new();
    let mut expected = Vec::new();
    for round in 0..6 {
        for (name, capture) in CAPTURES {
            let body = body_of(capture);
            let Some(Step::Send(wire)) = chunked_answer(body, &cuts(&mut random, body.len())).pop() else {
                panic!("one step")
            };
            // Written in pieces that respect neither events nor HTTP chunks.
            let offsets = cuts(&mut random, wire.len());
            scripts.push(Step::cut_at(&wire, &offsets));
            expected.push((format!("{name}-{round}"), body));
        }
    }
    let replica = Scripted::start(scripts).await.expect("a free port");
    let up = start(&[replica.url()], "").await;
    for (id, body) in expected {
        let answer = post(&up, &id, STREAM).await;
        assert_eq!(answer.status, 200, "{id}");
        assert_eq!(answer.body, body, "{id}: every byte as it was sent");
    }
}

#[tokio::test]
async fn the_usage_chunk_is_asked_for_and_taken_out_when_the_client_was_silent() {
    let body = body_of(CAPTURES[0].1);
    let replica = Scripted::start(vec![chunked_answer(body, &[])])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    let answer = post(&up, "silent", SILENT).await;
    let sent = &replica.requests()[0].body;
    let asked = r#"{"model":"m","stream":true,"messages":[],"stream_options":{"include_usage":true}}"#;
    assert_eq!(sent, asked.as_bytes(), "one splice, and nothing else changed");
    let usage = body
        .windows(13)
        .position(|window| window == b"\"choices\":[],")
        .expect("the usage chunk");
    let from = body[..usage]
        .windows(6)
        .rposition(|window| window == b"data: ")
        .expect("its beginning");
    let to = usage
        + body[usage..]
            .windows(2)
            .position(|window| window == b"\n\n")
            .expect("its end")
        + 2;
    assert_eq!(
        answer.body,
        [&body[..from], &body[to..]].concat(),
        "one event less, and nothing else changed"
    );
    let record = record(&up, "silent").await;
    assert_eq!(
        (&record["usage_source"], &record["outcome"]),
        (&"final".into(), &"success".into()),
        "{record}"
    );
    assert!(
        record["completion_tokens"].as_u64() > Some(0),
        "what was taken out was read: {record}"
    );
}

#[tokio::test]
async fn request_bodies_of_every_size_reach_the_replica_whole() {
    let replica = Scripted::start(vec![chunked_answer(&one_token(), &[])])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    let mut sent = Vec::new();
    for size in [
        1, 4_000, 65_535, 65_536, 65_537, 131_072, 131_073, 1_000_000, 8_000_000,
    ] {
        for chunked in [false, true] {
            // The model stands last, behind everything, as some clients write it.
            let body = format!(r#"{{"messages":"{}","model":"m"}}"#, "x".repeat(size));
            let mut client = Client::connect(&up.proxy).await;
            if chunked {
                let head = format!(
                    "POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                     transfer-encoding: chunked\r\n\r\n"
                );
                client.send(head).await;
                for piece in body.as_bytes().chunks(70_001) {
                    client.send(format!("{:x}\r\n", piece.len())).await;
                    client.send(piece).await;
                    client.send("\r\n").await;
                }
                client.send("0\r\n\r\n").await;
            } else {
                client.send(request(CHAT, "size", &body)).await;
            }
            let answer = client.end().await;
            assert_eq!(answer.status, 200, "{size} chunked {chunked}: {}", answer.text());
            sent.push(body);
        }
    }
    let received = replica.requests();
    assert_eq!(received.len(), sent.len());
    for (received, sent) in received.iter().zip(&sent) {
        assert_eq!(
            received.header("content-length"),
            Some(sent.len().to_string().as_str())
        );
        assert!(
            received.body == sent.as_bytes(),
            "a body of {} bytes arrived changed",
            sent.len()
        );
    }
}

#[tokio::test]
async fn a_request_reaches_the_replica_in_one_piece() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    let first_reads = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut first = vec![0; 64 * 1024];
            let read = socket.read(&mut first).await.expect("bytes");
            first.truncate(read);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            socket.write_all(answer).await.expect("an open socket");
            if first.starts_with(b"POST") {
                return first;
            }
        }
    });
    let up = start(&[url], "").await;
    assert_eq!(post(&up, "one", STREAM).await.status, 200);
    let first = timeout(DEADLINE, first_reads)
        .await
        .expect("the replica was asked")
        .expect("no panic");
    assert!(
        first.ends_with(STREAM.as_bytes()),
        "head and body in one send: {}",
        String::from_utf8_lossy(&first)
    );
}

#[tokio::test]
async fn headers_are_changed_as_documented_and_no_more() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                  x-request-id: theirs\r\n\
                  keep-alive: timeout=5\r\nserver: uvicorn\r\n\r\n{}";
    let replica = Scripted::start(vec![vec![Step::Send(Bytes::from(answer))]])
        .await
        .expect("a free port");
    let up = start(&[replica.url()], "").await;
    let mut client = Client::connect(&up.proxy).await;
    let head = format!(
        "POST {CHAT}?x=1 HTTP/1.1\r\nhost: front\r\nconnection: close, x-private\r\nx-private: 1\r\n\
         te: trailers\r\n\
         x-request-id: mine-1\r\nx-forwarded-for: 10.9.8.7\r\nauthorization: Bearer sk-1\r\n\
         accept-encoding: gzip\r\n\
         content-length: {}\r\n\r\n{STREAM}",
        STREAM.len()
    );
    client.send(head).await;
    let answer = client.end().await;
    assert_eq!(
        answer.header("x-request-id"),
        Some("mine-1"),
        "ours replaces the replica's: {}",
        answer.head
    );
    assert_eq!(
        answer.head.to_ascii_lowercase().matches("x-request-id").count(),
        1,
        "{}",
        answer.head
    );
    assert_eq!(
        (answer.header("keep-alive"), answer.header("server")),
        (None, Some("uvicorn"))
    );
    let got = replica.requests().pop().expect("a request");
    assert_eq!(got.target(), format!("{CHAT}?x=1"));
    for (name, value) in [
        ("x-request-id", Some("mine-1")),
        ("x-forwarded-for", Some("10.9.8.7, 127.0.0.1")),
        ("authorization", Some("Bearer sk-1")),
        ("accept-encoding", Some("identity")),
        ("x-private", None),
        ("te", None),
        ("transfer-encoding", None),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let host = replica.addr().to_string();
    assert_eq!(got.header("host"), Some(host.as_str()));
}
