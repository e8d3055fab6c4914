//! What a request asks for: the few fields of its body that a replica acts on, and the `x-sim-*` headers of
//! tests.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fault::{Fault, parse_faults};
use crate::settings::TOKENS_MAX;
use crate::wire::Received;

/// The fields of a chat, completion or embedding body that matter here. The prompt stays raw JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct Ask<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    #[serde(borrow)]
    encoding_format: Option<Cow<'a, str>>,
    dimensions: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

/// What a test asks of the replica in headers.
#[derive(Debug, Default)]
pub(crate) struct Overrides<'a> {
    pub(crate) request_id: Option<&'a str>,
    pub(crate) ttft: Option<Duration>,
    pub(crate) itl: Option<Duration>,
    pub(crate) tokens: Option<u64>,
    pub(crate) faults: Vec<Fault>,
}

/// A request that is refused with vLLM's error body.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) param: Option<&'static str>,
    pub(crate) message: String,
}

/// Which body field holds the prompt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Chat,
    Text,
    Embedding,
}

/// Most choices of one request: bounds the work of a hostile test.
const CHOICES_MAX: u32 = 128;

// === impl Ask ===

impl<'a> Ask<'a> {
    /// Reads a body.
    pub(crate) fn read(kind: Kind, body: &'a [u8]) -> Result<Self, Refusal> {
        let ask: Self = serde_json::from_slice(body).map_err(|error| {
            Refusal::bad_request(
                None,
                format!("1 validation error: the body is not valid: {error}"),
            )
        })?;
        if ask.prompt(kind).is_none() {
            let name = kind.prompt_field();
            return Err(Refusal::bad_request(
                Some(name),
                format!("1 validation error: {name}: Field required"),
            ));
        }
        if ask.n.is_some_and(|n| n == 0 || n > CHOICES_MAX) {
            return Err(Refusal::bad_request(
                Some("n"),
                format!("n must lie between 1 and {CHOICES_MAX}"),
            ));
        }
        if ask.stream_options.is_some() && !ask.streams() {
            let message = "Stream options can only be defined when `stream=True`.";
            return Err(Refusal::bad_request(Some("stream_options"), message.to_owned()));
        }
        Ok(ask)
    }

    /// The model and the fault suffix behind its `#`, if any.
    pub(crate) fn model(&self) -> Option<(&str, &str)> {
        self.model
            .as_deref()
            .map(|model| model.split_once('#').unwrap_or((model, "")))
    }

    /// The prompt's JSON text.
    pub(crate) fn prompt(&self, kind: Kind) -> Option<&'a [u8]> {
        let raw = match kind {
            Kind::Chat => self.messages,
            Kind::Text => self.prompt,
            Kind::Embedding => self.input,
        };
        raw.map(|raw| raw.get().as_bytes())
    }

    /// Whether embeddings are wanted as base64, which the openai clients ask for by themselves.
    pub(crate) fn wants_base64(&self) -> bool {
        self.encoding_format.as_deref() == Some("base64")
    }

    /// Numbers in an embedding, when the request says.
    pub(crate) fn dimensions(&self) -> Option<usize> {
        self.dimensions
    }

    pub(crate) fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    pub(crate) fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    /// The cap on completion tokens, when the request sets one.
    pub(crate) fn tokens_max(&self) -> Option<u64> {
        self.max_completion_tokens
            .or(self.max_tokens)
            .map(|max| max.min(TOKENS_MAX))
    }

    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage == Some(true))
    }

    /// vLLM gives running usage only together with `include_usage`.
    pub(crate) fn wants_continuous_usage(&self) -> bool {
        self.wants_usage()
            && self
                .stream_options
                .as_ref()
                .is_some_and(|options| options.continuous_usage_stats == Some(true))
    }
}

// === impl Overrides ===

impl<'a> Overrides<'a> {
    /// Reads the headers of a request.
    pub(crate) fn read(request: &'a Received) -> Result<Self, Refusal> {
        let mut overrides = Self::default();
        for (name, value) in request.headers() {
            // One look at the first letter spares the other headers of a busy bench.
            if !name.starts_with(['x', 'X']) {
                continue;
            }
            if name.eq_ignore_ascii_case("x-request-id") {
                overrides.request_id = Some(value);
            } else if name.eq_ignore_ascii_case("x-sim-ttft-ms") {
                overrides.ttft = Some(milliseconds(value)?);
            } else if name.eq_ignore_ascii_case("x-sim-itl-ms") {
                overrides.itl = Some(milliseconds(value)?);
            } else if name.eq_ignore_ascii_case("x-sim-tokens") {
                overrides.tokens = Some(
                    value
                        .parse()
                        .ok()
                        .filter(|n| *n <= TOKENS_MAX)
                        .ok_or_else(|| unread(name, value))?,
                );
            } else if name.eq_ignore_ascii_case("x-sim-fault") {
                overrides.add_faults(value)?;
            }
        }
        Ok(overrides)
    }

    /// Adds the faults of a comma-separated list.
    pub(crate) fn add_faults(&mut self, list: &str) -> Result<(), Refusal> {
        let faults = parse_faults(list).map_err(|error| Refusal::bad_request(Some("x-sim-fault"), error))?;
        self.faults.extend(faults);
        Ok(())
    }
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn bad_request(param: Option<&'static str>, message: String) -> Self {
        Self {
            status: 400,
            kind: "Bad Request",
            param,
            message,
        }
    }

    pub(crate) fn unknown_model(model: &str) -> Self {
        Self {
            status: 404,
            kind: "NotFoundError",
            param: Some("model"),
            message: format!("The model `{model}` does not exist."),
        }
    }
}

// === impl Kind ===

impl Kind {
    fn prompt_field(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Text => "prompt",
            Self::Embedding => "input",
        }
    }
}

fn milliseconds(value: &str) -> Result<Duration, Refusal> {
    value
        .parse::<f64>()
        .ok()
        .and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok())
        .ok_or_else(|| unread("x-sim-*-ms", value))
}

fn unread(name: &str, value: &str) -> Refusal {
    Refusal::bad_request(None, format!("header {name}: `{value}` is not a number in range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn the_fields_that_matter_are_read_and_the_prompt_stays_raw() {
        let body = br#"{"model":"m#cut=2","messages":[{"role":"user","content":"h\u00e9"}],"stream":true,
            "stream_options":{"include_usage":true},"max_tokens":9,"temperature":0.5}"#;
        let ask = Ask::read(Kind::Chat, body).unwrap();
        assert_eq!(ask.model(), Some(("m", "cut=2")));
        assert_eq!(
            ask.prompt(Kind::Chat).unwrap(),
            br#"[{"role":"user","content":"h\u00e9"}]"#
        );
        assert!(ask.streams() && ask.wants_usage() && !ask.wants_continuous_usage());
        assert_eq!((ask.choices(), ask.tokens_max()), (1, Some(9)));
    }

    #[test]
    fn bodies_that_vllm_refuses_are_refused() {
        for (kind, body) in [
            (Kind::Chat, r#"{"model":"m"}"#),
            (Kind::Chat, r#"{"model":"m","messages":["#),
            (Kind::Chat, r#"{"messages":[],"n":0}"#),
            (
                Kind::Chat,
                r#"{"messages":[],"stream_options":{"include_usage":true}}"#,
            ),
            (Kind::Text, r#"{"messages":[]}"#),
            (Kind::Embedding, r#"{"prompt":"x"}"#),
        ] {
            let refusal = Ask::read(kind, body.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, 400, "{body}");
        }
    }

    #[test]
    fn headers_override_the_settings() {
        let head =
            "POST / HTTP/1.1\r\nx-sim-ttft-ms: 2.5\r\nX-Sim-Tokens: 7\r\nx-sim-fault: split, cut=1\r\n\r\n";
        let request = Received {
            head: Bytes::from_static(head.as_bytes()),
            body: Bytes::new(),
        };
        let overrides = Overrides::read(&request).unwrap();
        assert_eq!(overrides.ttft, Some(Duration::from_micros(2_500)));
        assert_eq!((overrides.itl, overrides.tokens), (None, Some(7)));
        assert_eq!(overrides.faults, [Fault::Split, Fault::Cut(Some(1))]);
    }
}
