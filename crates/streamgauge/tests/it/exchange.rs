//! A client that sends exact bytes and sees exact bytes, and a look at the record afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulator::Step;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::up::{DEADLINE, Up, ask};

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// A streamed request that asks for usage itself, so that nothing is taken out of its answer.
pub(crate) const STREAM: &str =
    r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;

/// A streamed request that says nothing about usage.
pub(crate) const SILENT: &str = r#"{"model":"m","stream":true,"messages":[]}"#;

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) got: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the port listens"))
    }

    /// A client on a connection that was made elsewhere.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an open socket");
        Self {
            stream,
            got: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A peer that has closed already is seen by what it answered.
        let _closed = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads until what came holds `words`.
    pub(crate) async fn until(&mut self, words: &str) {
        let seen = |got: &[u8]| got.windows(words.len()).any(|window| window == words.as_bytes());
        let reading = async {
            while !seen(&self.got) {
                let read = self
                    .stream
                    .read_buf(&mut self.got)
                    .await
                    .expect("a connection that is open");
                assert!(
                    read > 0,
                    "it closed before {words:?}: {}",
                    String::from_utf8_lossy(&self.got)
                );
            }
        };
        let waited = timeout(DEADLINE, reading).await;
        assert!(
            waited.is_ok(),
            "waited for {words:?}, got {}",
            String::from_utf8_lossy(&self.got)
        );
    }

    /// Reads to the end of the connection.
    pub(crate) async fn end(mut self) -> Answer {
        self.closed().await;
        Answer::parse(&self.got)
    }

    /// Reads to the end of the connection, whatever comes.
    pub(crate) async fn closed(&mut self) {
        let read = timeout(DEADLINE, self.stream.read_to_end(&mut self.got)).await;
        // A reset after the answer is an end as well.
        let _reset = read.unwrap_or_else(|_| {
            panic!(
                "the connection stays open: {}",
                String::from_utf8_lossy(&self.got)
            )
        });
    }
}

// === impl Answer ===

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let end = text
            .find("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head in {text:?}"));
        let head = text[..end].to_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status line");
        if status == 100 {
            return Self::parse(&bytes[end + 4..]);
        }
        let rest = &bytes[end + 4..];
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { dechunk(rest) } else { rest.to_vec() };
        Self { status, head, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The type of an error in OpenAI's form.
    pub(crate) fn error_type(&self) -> String {
        let value: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()));
        value["error"]["type"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {value}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Undoes the chunked coding; a body that is cut off gives what came.
fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a chunk size");
        let from = end + 2;
        let to = (from + size).min(bytes.len());
        body.extend_from_slice(&bytes[from..to]);
        if size == 0 {
            break;
        }
        bytes = &bytes[(to + 2).min(bytes.len())..];
    }
    body
}

/// A request's bytes, its connection closed after the answer.
pub(crate) fn request(path: &str, id: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {id}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One whole exchange.
pub(crate) async fn post(up: &Up, id: &str, body: &str) -> Answer {
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, id, body)).await;
    client.end().await
}

/// The record of a request, once it is in the ledger.
pub(crate) async fn record(up: &Up, id: &str) -> Value {
    let path = format!("/api/v1/requests/{id}");
    let looking = async {
        loop {
            let answer = ask(&up.api, "GET", &path, "").await;
            if answer.starts_with("HTTP/1.1 200") {
                let body = answer.split_once("\r\n\r\n").expect("a body").1.to_owned();
                return serde_json::from_str(&body).expect("JSON");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, looking)
        .await
        .unwrap_or_else(|_| panic!("waited for the record of {id}; log: {:#?}", up.log()))
}

/// What a scripted replica sends for a whole streamed answer, in HTTP chunks cut at these offsets of the
/// body.
pub(crate) fn chunked_answer(body: &[u8], offsets: &[usize]) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let mut wire = head.as_bytes().to_vec();
    let mut from = 0;
    for to in offsets.iter().copied().chain([body.len()]) {
        if to > from {
            wire.extend_from_slice(format!("{:X}\r\n", to - from).as_bytes());
            wire.extend_from_slice(&body[from..to]);
            wire.extend_from_slice(b"\r\n");
            from = to;
        }
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    vec![Step::Send(Bytes::from(wire))]
}

/// The events of a plain stream of one token.
pub(crate) fn one_token() -> Vec<u8> {
    let token = r#"data: {"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    format!("{token}\n\n").into_bytes()
}

/// Starts the binary in front of replicas with a configuration of its own.
pub(crate) async fn start(upstreams: &[String], config: &str) -> Up {
    start_with(upstreams, config, &[]).await
}

/// Starts it with more arguments.
pub(crate) async fn start_with(upstreams: &[String], config: &str, more: &[&str]) -> Up {
    let folder = tempfile::tempdir().expect("a folder for the configuration");
    let file = folder.path().join("streamgauge.yaml");
    std::fs::write(&file, config).expect("the folder is ours");
    let file = file.display().to_string();
    let mut arguments = vec!["--config", file.as_str()];
    arguments.extend(more);
    for upstream in upstreams {
        arguments.extend(["--upstream", upstream.as_str()]);
    }
    Up::start(&arguments).await
}

/// An address on which nobody listens.
pub(crate) async fn nobody() -> String {
    let socket = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a free port");
    format!("http://{}", socket.local_addr().expect("a bound socket"))
}
