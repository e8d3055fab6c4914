//! Answers that we give ourselves, in the form that the client's SDK reads.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use observer::End;
use pingora::http::ResponseHeader;
use pingora::prelude::{Result, Session};
use record::{Dialect, Endpoint, Name};
use serde_json::{Value, json};

use crate::hooks::context::Ctx;
use crate::routes::Method;

/// A refusal: what the client is told, and how the request ended.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Our own word for the class of the error; also the record's error type.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) end: End,
    /// Seconds after which another try is sensible.
    pub(crate) retry_after: Option<u64>,
    pub(crate) allow: Option<&'static str>,
    /// The field of the request that is at fault, and OpenAI's word for the fault.
    pub(crate) fault: Option<(&'static str, &'static str)>,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn faulty(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            end: End::Faulty,
            retry_after: None,
            allow: None,
            fault: None,
        }
    }

    /// A model that no pool serves, in OpenAI's words: its clients tell it from other errors by the code.
    pub(crate) fn unknown_model(model: Option<&Name>) -> Self {
        let shown: String = model.map_or("", |model| model).chars().take(80).collect();
        let message = format!("the model {shown:?} does not exist; GET /v1/models lists those that do");
        Self {
            fault: Some(("model", "model_not_found")),
            ..Self::faulty(404, "invalid_request_error", message)
        }
    }

    /// A path that is not on the allow-list.
    pub(crate) fn not_served(target: &[u8]) -> Self {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let shown: String = String::from_utf8_lossy(path).chars().take(80).collect();
        Self::faulty(
            404,
            "not_found_error",
            format!("the path {shown:?} is not served here"),
        )
    }

    pub(crate) fn wrong_method(allowed: Method) -> Self {
        let allow = allowed.as_str();
        Self {
            allow: Some(allow),
            ..Self::faulty(405, "method_not_allowed", format!("this path takes {allow} only"))
        }
    }

    /// Too many requests in flight.
    pub(crate) fn busy() -> Self {
        Self {
            end: End::Rejected,
            retry_after: Some(1),
            ..Self::faulty(
                503,
                "overloaded_error",
                "too many requests in flight; try again in a second",
            )
        }
    }

    /// Nobody is there to take the request, and nobody is expected.
    pub(crate) fn no_replica() -> Self {
        Self {
            end: End::NoReplica,
            retry_after: Some(2),
            ..Self::faulty(
                503,
                "no_replica",
                "no replica is able to take the request; try again in a few seconds",
            )
        }
    }

    /// Every replica stayed full for as long as a request may wait. As below, `wait_s` is when to come back.
    pub(crate) fn waited(span: Duration, wait_s: u64) -> Self {
        let span = record::units::format_duration(span);
        Self {
            end: End::Rejected,
            retry_after: Some(wait_s),
            ..Self::faulty(
                503,
                "overloaded_error",
                format!("every replica was busy for {span}; try again in {wait_s} s"),
            )
        }
    }

    /// The room for waiting requests is full.
    pub(crate) fn room_full(wait_s: u64) -> Self {
        Self {
            end: End::Rejected,
            retry_after: Some(wait_s),
            ..Self::faulty(
                503,
                "overloaded_error",
                format!("every replica is busy and too many requests wait already; try again in {wait_s} s"),
            )
        }
    }

    /// The room is full, and this key has more requests in it than the others.
    pub(crate) fn too_many_waiting(wait_s: u64) -> Self {
        Self {
            end: End::Rejected,
            retry_after: Some(wait_s),
            ..Self::faulty(
                429,
                "rate_limit_error",
                format!(
                    "every replica is busy and too many requests of this key wait already; \
                     try again in {wait_s} s"
                ),
            )
        }
    }

    /// Sends it and says how the request ended. A body that was not read to its end closes the connection.
    pub(crate) async fn send(&self, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
        ctx.tracked.error_type = Some(Name::from(self.kind));
        ctx.tracked.end(self.end);
        let body = self.body(ctx.tracked.endpoint);
        let mut head = head(self.status, &body, ctx)?;
        if let Some(seconds) = self.retry_after {
            head.insert_header(header::RETRY_AFTER, seconds)?;
        }
        if let Some(allow) = self.allow {
            head.insert_header(header::ALLOW, allow)?;
        }
        write(session, ctx, head, body).await
    }

    /// The error form of the API that is spoken.
    fn body(&self, endpoint: Endpoint) -> Bytes {
        let value = match endpoint {
            Endpoint::Messages => {
                json!({"type": "error", "error": {"type": self.kind, "message": self.message}})
            }
            Endpoint::OllamaChat | Endpoint::OllamaGenerate => json!({"error": self.message}),
            _ => match self.fault {
                Some((param, code)) => {
                    let error =
                        json!({"message": self.message, "type": self.kind, "param": param, "code": code});
                    json!({"error": error})
                }
                None => openai_error(self.status, self.kind, &self.message),
            },
        };
        value.to_string().into()
    }
}

/// Answers with this JSON.
pub(super) async fn send_json(session: &mut Session, ctx: &mut Ctx, value: &Value) -> Result<()> {
    ctx.tracked.end(End::Answered(200));
    let body = Bytes::from(value.to_string());
    let head = head(200, &body, ctx)?;
    write(session, ctx, head, body).await
}

fn head(status: u16, body: &Bytes, ctx: &Ctx) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(status, Some(6))?;
    head.insert_header(header::CONTENT_TYPE, "application/json")?;
    head.insert_header(header::CONTENT_LENGTH, body.len())?;
    head.insert_header("x-request-id", &*ctx.tracked.id)?;
    Ok(head)
}

async fn write(session: &mut Session, ctx: &mut Ctx, head: ResponseHeader, body: Bytes) -> Result<()> {
    if !session.as_downstream_mut().is_body_done() {
        session.set_keepalive(None);
    }
    ctx.tracked.status = Some(head.status.as_u16());
    let no_body = session.req_header().method == http::Method::HEAD;
    session.write_response_header(Box::new(head), no_body).await?;
    if !no_body {
        ctx.tracked.response_bytes = u64::try_from(body.len()).unwrap_or(0);
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// An error in OpenAI's form.
pub(super) fn openai_error(status: u16, kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": status}})
}

/// The last event of a stream that broke off, as the client's SDK takes it for an error.
pub(super) fn last_words(dialect: Dialect, status: u16, kind: &str) -> String {
    let message = "the replica ended the stream before it was complete";
    match dialect {
        // https://docs.claude.com/en/docs/build-with-claude/streaming#error-events
        Dialect::Anthropic => {
            let event = json!({"type": "error", "error": {"type": kind, "message": message}});
            format!("event: error\ndata: {event}\n\n")
        }
        // Its own event has no `error` object; OpenAI's clients raise only when there is one.
        // https://platform.openai.com/docs/api-reference/responses-streaming/error
        Dialect::OpenaiResponses => {
            let mut event = openai_error(status, kind, message);
            if let Some(fields) = event.as_object_mut() {
                for (name, value) in [("type", "error"), ("code", kind), ("message", message)] {
                    fields.insert(name.to_owned(), value.into());
                }
                fields.insert("param".to_owned(), Value::Null);
            }
            format!("event: error\ndata: {event}\n\n")
        }
        // https://docs.ollama.com/api/errors
        Dialect::Ollama => format!("{}\n", json!({"error": message})),
        _ => format!("data: {}\n\n", openai_error(status, kind, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_form_of_the_api_that_is_spoken() {
        let refusal = Refusal::not_served(b"/sl\"eep?key=secret");
        let openai: Value = serde_json::from_slice(&refusal.body(Endpoint::Other)).unwrap();
        assert_eq!(openai["error"]["code"], 404);
        assert_eq!(openai["error"]["type"], "not_found_error");
        assert!(
            !refusal.message.contains("secret"),
            "a query string is never shown: {}",
            refusal.message
        );
        let ollama: Value = serde_json::from_slice(&refusal.body(Endpoint::OllamaChat)).unwrap();
        assert!(ollama["error"].is_string(), "{ollama}");
        let anthropic: Value = serde_json::from_slice(&refusal.body(Endpoint::Messages)).unwrap();
        assert_eq!(
            (&anthropic["type"], &anthropic["error"]["type"]),
            (&json!("error"), &json!("not_found_error"))
        );
    }

    #[test]
    fn the_last_words_of_a_stream_are_an_error_in_every_dialect_and_never_its_end() {
        for dialect in Dialect::ALL {
            let words = last_words(*dialect, 502, "upstream_error");
            let event = words
                .lines()
                .find_map(|line| {
                    line.strip_prefix("data: ")
                        .or(line.strip_prefix('{').map(|_| line))
                })
                .unwrap_or_else(|| panic!("{dialect}: {words}"));
            let event: Value = serde_json::from_str(event).unwrap();
            assert!(!event["error"].is_null(), "{dialect}: {words}");
            assert!(
                !words.contains("[DONE]") && words.ends_with('\n'),
                "{dialect}: {words}"
            );
        }
        let anthropic = last_words(Dialect::Anthropic, 504, "upstream_timeout");
        assert!(anthropic.starts_with("event: error\ndata: "), "{anthropic}");
        let responses = last_words(Dialect::OpenaiResponses, 504, "upstream_timeout");
        assert!(responses.contains(r#""type":"error""#), "{responses}");
    }
}
