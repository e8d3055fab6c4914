//! What a client says of itself and to its model: told apart, and found nowhere afterwards.

use std::path::Path;

use bytes::Bytes;
use simulator::{Scripted, Step};

use crate::exchange::{CHAT, Client, chunked_answer, one_token, post, record, start, start_with};
use crate::up::{Up, ask};

/// Stands wherever a client or a replica could say something that must not be kept.
const CANARY: &str = "CANARY-7f3a9c";

const IDENTITY: &str = "identity:\n  secret: 0123456789abcdef0123456789abcdef\n  origin: truncate\n  \
                        user_header: x-user\n  keys:\n    - { name: team-a, key: sk-named }\n  \
                        tags: { team: 'header:x-team', env: 'static:test' }\n";

/// A request with these header fields.
fn request(id: &str, fields: &str, body: &str) -> String {
    format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {id}\r\n{fields}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn send(up: &Up, bytes: String) -> u16 {
    let mut client = Client::connect(&up.proxy).await;
    client.send(bytes).await;
    client.end().await.status
}

async fn replica(body: &[u8]) -> Scripted {
    Scripted::start(vec![chunked_answer(body, &[])])
        .await
        .expect("a free port")
}

#[tokio::test]
async fn requests_are_told_apart_by_key_user_session_and_tag() {
    let whole = [&one_token()[..], b"data: [DONE]\n\n"].concat();
    let replica = replica(&whole).await;
    let up = start(&[replica.url()], IDENTITY).await;
    let body = r#"{"model":"m","stream":true,"user":"ann","prompt_cache_key":"s1","messages":[]}"#;
    for (id, fields) in [
        (
            "named",
            "authorization: Bearer sk-named\r\nx-team: search\r\nx-user: ann\r\n",
        ),
        ("other", "x-api-key: sk-other\r\nx-stainless-retry-count: 2\r\n"),
        ("azure", "api-key: sk-other\r\n"),
    ] {
        assert_eq!(send(&up, request(id, fields, body)).await, 200);
    }
    let (named, other) = (record(&up, "named").await, record(&up, "other").await);
    let azure = record(&up, "azure").await;
    assert_eq!(
        named["key_id"], "team-a",
        "a configured name stands for its key: {named}"
    );
    assert_eq!(
        named["tags"],
        serde_json::json!({"team": "search", "env": "test"})
    );
    assert_eq!(
        other["tags"],
        serde_json::json!({"env": "test"}),
        "no header, no tag"
    );
    assert_eq!(named["client_net"], "127.0.0.0/24");
    assert_eq!(other["key_id"], azure["key_id"], "one key, wherever it stands");
    assert_eq!(other["sdk_retry"], 2);
    for field in ["key_id", "user_id", "session_id"] {
        let hash = other[field].as_str().unwrap_or_default();
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash, "{field} of {other}");
    }
    assert_eq!(
        named["user_id"], other["user_id"],
        "one user, one hash, from head or body"
    );
    assert_eq!(named["session_id"], azure["session_id"], "one session");
    assert_eq!(named["hash_key_id"], other["hash_key_id"], "one secret");
}

#[tokio::test]
async fn nothing_that_must_not_be_kept_is_found_anywhere() {
    for level in ["error", "trace"] {
        let error = format!(
            r#"data: {{"error": {{"message": "echo {CANARY}", "type": "InternalServerError", "code": 500}}}}"#
        );
        let text = format!(
            r#"data: {{"model":"m","choices":[{{"index":0,"delta":{{"content":"{CANARY}"}},"finish_reason":null}}]}}"#
        );
        let failing = [
            text.as_bytes(),
            b"\n\n",
            error.as_bytes(),
            b"\n\ndata: [DONE]\n\n",
        ]
        .concat();
        let broken = format!("HTTP/1.1 200 {CANARY}\r\ncontent-type: text/event-stream\r\n\r\n{text}\n\n");
        let garbage = Step::Send(Bytes::from(format!("{CANARY} is no HTTP\r\n\r\n")));
        let script = vec![
            chunked_answer(&failing, &[7]),
            vec![Step::Send(Bytes::from(broken)), Step::Reset],
            vec![garbage, Step::Close],
            vec![Step::Close],
        ];
        let replica = Scripted::start(script).await.expect("a free port");
        let config = format!("{IDENTITY}pools: [{{health: {{interval: 600s}}}}]\n");
        let up = start_with(&[replica.url()], &config, &["--log-level", level]).await;
        for bytes in poisoned_requests() {
            let mut client = Client::connect(&up.proxy).await;
            client.send(bytes).await;
            // Some are answered, some are only closed; what matters is what stays behind.
            client.closed().await;
        }
        post(&up, "last", r#"{"model":"m"}"#).await;
        record(&up, "last").await;
        let mut found = Vec::new();
        for (address, path) in [
            (&up.ops, "/metrics"),
            (&up.ops, "/healthz"),
            (&up.api, "/metrics"),
            (&up.api, "/api/v1/requests?limit=100"),
            (&up.api, "/api/v1/breakdown?by=key"),
            (&up.api, "/api/v1/replicas"),
            (&up.api, "/api/v1/facets"),
        ] {
            if ask(address, "GET", path, "").await.contains(CANARY) {
                found.push(path.to_owned());
            }
        }
        found.extend(up.log().into_iter().filter(|line| line.contains(CANARY)));
        found.extend(files_with_canary(&up));
        assert!(
            found.is_empty(),
            "at --log-level {level} the canary is in {found:#?}"
        );
    }
}

/// The canary in a key, a cookie, a query, a body, an id, a path, a method, and in heads that are none.
fn poisoned_requests() -> Vec<String> {
    let body = format!(
        r#"{{"model":"m","stream":true,"user":"{CANARY}","session_id":"{CANARY}","messages":[{{"role":"user","content":"{CANARY}"}}]}}"#
    );
    let wrong = format!(r#"{{"model":"m","messages":[{{"content":"{CANARY}"#);
    let twice = format!(r#"{{"model":"m","model":"n","x":"{CANARY}"}}"#);
    let key = format!("authorization: Bearer {CANARY}\r\n");
    let query = format!(
        "POST {CHAT}?key={CANARY} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    vec![
        request("k1", &key, &body),
        request(
            "k2",
            &format!("x-api-key: {CANARY}\r\ncookie: a={CANARY}\r\n"),
            &body,
        ),
        request(
            "k3",
            &format!("api-key: {CANARY}\r\nx-forwarded-for: {CANARY}\r\n"),
            &body,
        ),
        request("k4", &format!("proxy-authorization: Basic {CANARY}\r\n"), &wrong),
        request("k5", &key, &twice),
        request(&format!("{CANARY} is no id"), &key, &body),
        query,
        format!("POST /v1/nothing?key={CANARY} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{key}\r\n"),
        format!("{CANARY} {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n{CANARY}\r\n\r\n"),
        format!("{CANARY}\r\n\r\n"),
    ]
}

/// The files beside the ledger that hold the canary.
fn files_with_canary(up: &Up) -> Vec<String> {
    let path = up.ledger.strip_prefix("sqlite://").expect("a SQLite ledger");
    let folder = Path::new(path).parent().expect("the ledger lies in a folder");
    let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    };
    entries
        .map(|entry| entry.path())
        .filter(|path| holds(path))
        .map(|path| path.display().to_string())
        .collect()
}
