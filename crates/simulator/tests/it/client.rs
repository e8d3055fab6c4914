//! A client for tests that sees the raw bytes: one request, one connection, everything that comes back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back, and how the connection ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Everything up to and including the empty line.
    pub(crate) head: String,
    /// Everything after it, as it came.
    pub(crate) raw: Vec<u8>,
    /// The body without its transfer coding, as far as it came.
    pub(crate) body: String,
    /// Whether the body ended as its framing says.
    pub(crate) whole: bool,
    /// Whether the connection was reset.
    pub(crate) reset: bool,
}

/// Time for anything on loopback, on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

impl Answer {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// The payload of each `data:` line.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect()
    }

    /// The payloads that are JSON.
    pub(crate) fn chunks(&self) -> Vec<serde_json::Value> {
        self.events()
            .into_iter()
            .filter_map(|event| serde_json::from_str(event).ok())
            .collect()
    }
}

/// The text of a POST; `headers` are whole lines with their CRLF.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {len}\r\n{headers}\r\n{body}")
}

/// A chat request with `stream` on.
pub(crate) fn chat(headers: &str, more: &str) -> String {
    let body = format!(
        r#"{{"model":"sim-model","messages":[{{"role":"user","content":"hi"}}],"stream":true{more}}}"#
    );
    post("/v1/chat/completions", headers, &body)
}

/// Sends `request` on a new connection and reads until the answer or the connection ends.
pub(crate) async fn ask(addr: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.expect("the replica accepts");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    read_answer(&mut stream).await
}

/// Reads one answer, with a deadline.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            if let Some(answer) = parse(&bytes)
                && answer.whole
            {
                return answer;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) => return parse(&bytes).unwrap_or_else(|| broken(&bytes, false)),
                Ok(_) => {}
                Err(_) => {
                    let answer = parse(&bytes).unwrap_or_else(|| broken(&bytes, true));
                    return Answer {
                        reset: true,
                        ..answer
                    };
                }
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("an answer, whole or broken, comes in time")
}

fn broken(bytes: &[u8], reset: bool) -> Answer {
    let head = String::from_utf8_lossy(bytes).into_owned();
    Answer {
        head,
        raw: Vec::new(),
        body: String::new(),
        whole: false,
        reset,
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let raw = bytes[end..].to_vec();
    let lower = head.to_lowercase();
    let (body, whole) = if lower.contains("transfer-encoding: chunked") {
        dechunk(&raw)
    } else {
        let len = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next()?.parse().ok());
        (raw.clone(), len == Some(raw.len()))
    };
    Some(Answer {
        head,
        raw,
        body: String::from_utf8_lossy(&body).into_owned(),
        whole,
        reset: false,
    })
}

fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(raw) {
        let size = usize::try_from(size).expect("a chunk fits into memory");
        if size == 0 {
            return (body, raw.len() >= line + 2);
        }
        if raw.len() < line + size + 2 {
            return (body, false);
        }
        body.extend_from_slice(&raw[line..line + size]);
        raw = &raw[line + size + 2..];
    }
    (body, false)
}
