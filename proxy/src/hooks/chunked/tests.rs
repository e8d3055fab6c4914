//! The chunked coding, its limits and its ends.

use std::time::Duration;

use super::*;

const HEAD: &[u8] = b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
    Expect: 100-continue\r\nX: y\r\n\r\n";

fn limits(body: u64) -> Limits {
    Limits {
        connections: 1,
        in_flight: 1,
        body,
        head: 1_000,
        head_deadline: Duration::from_secs(1),
        body_deadline: Duration::from_secs(1),
        write_deadline: Duration::from_secs(60),
        idle: Duration::from_secs(1),
    }
}

/// Decodes what follows the head, given whole.
async fn decode(rest: &[u8], limit: u64) -> Option<Upload> {
    // The stream gives nothing and takes everything.
    let mut io: Stream = Box::new(std::io::Cursor::new(Vec::new()));
    let mut bytes = BytesMut::from(HEAD);
    bytes.extend_from_slice(rest);
    read(&mut io, &bytes, &limits(limit)).await
}

#[test]
fn a_chunked_head_is_known_by_its_field_alone() {
    assert!(is_chunked(HEAD));
    assert!(
        !is_chunked(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "the body is no head"
    );
    assert!(
        !is_chunked(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"),
        "an unknown coding is Pingora's 400"
    );
    assert_eq!(head_len(b"\r\nGET / HTTP/1.1\n\nbody"), 18);
}

#[tokio::test]
async fn chunks_become_a_body_with_a_length() {
    let upload = decode(
        b"3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
        100,
    )
    .await
    .unwrap();
    assert_eq!((&upload.body[..], upload.refused), (&b"abc0123456789"[..], None));
    let head = String::from_utf8(upload.head.to_vec()).unwrap();
    assert_eq!(
        head,
        "POST /v1/models HTTP/1.1\r\nHost: x\r\nX: y\r\ncontent-length: 13\r\n\r\n"
    );
}

#[tokio::test]
async fn what_is_too_large_or_malformed_is_refused_and_the_connection_closes() {
    for (rest, limit, status) in [
        (&b"5\r\nabcde\r\n0\r\n\r\n"[..], 4, 413),
        (b"ffffffffffffffff\r\n", 4, 413),
        (b"x\r\n", 100, 400),
        (b"3\r\nabcd\r\n0\r\n\r\n", 100, 400),
    ] {
        let upload = decode(rest, limit).await.unwrap();
        assert_eq!(upload.refused, Some(status), "{rest:?}");
        let head = String::from_utf8(upload.head.to_vec()).unwrap();
        assert!(
            head.contains("connection: close\r\ncontent-length: 0\r\n"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn two_lengths_are_refused() {
    let mut io: Stream = Box::new(std::io::Cursor::new(Vec::new()));
    let bytes = BytesMut::from(
        &b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..],
    );
    assert_eq!(
        read(&mut io, &bytes, &limits(9)).await.unwrap().refused,
        Some(400)
    );
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_chunk_is_gone() {
    for rest in [&b""[..], b"5", b"5\r\nab", b"5\r\nabcde", b"0\r\n"] {
        assert!(decode(rest, 100).await.is_none(), "{rest:?}");
    }
}
