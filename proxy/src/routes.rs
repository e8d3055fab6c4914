//! The allow-list: which paths are served, and what they ask for.
//!
//! Matching is exact and on the raw bytes before the `?`: no normalisation, so no confusion between what we
//! checked and what a replica reads. Everything else is our 404 and never reaches a replica, because
//! inference servers also serve `/sleep`, `/shutdown`, `/load_lora_adapter` and their like on the same port.

use percent_encoding::percent_decode;
use record::{Dialect, Endpoint};

/// What a served path is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(crate) dialect: Dialect,
    pub(crate) method: Method,
    /// The answer is that of an earlier request, which was counted then: nothing is generated, and only the
    /// replica that has it knows it.
    pub(crate) replay: bool,
}

/// The method that a path takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    Get,
    Post,
}

const ROUTES: [(&str, Endpoint, Dialect); 25] = [
    ("/v1/chat/completions", Endpoint::Chat, Dialect::OpenaiChat),
    ("/v1/completions", Endpoint::Completion, Dialect::OpenaiText),
    ("/v1/responses", Endpoint::Responses, Dialect::OpenaiResponses),
    ("/v1/messages", Endpoint::Messages, Dialect::Anthropic),
    ("/v1/messages/count_tokens", Endpoint::Tokenize, Dialect::Json),
    ("/v1/models", Endpoint::Models, Dialect::Other),
    ("/v1/embeddings", Endpoint::Embeddings, Dialect::Json),
    ("/v1/pooling", Endpoint::Embeddings, Dialect::Json),
    ("/pooling", Endpoint::Embeddings, Dialect::Json),
    ("/v1/rerank", Endpoint::Rerank, Dialect::Json),
    ("/v2/rerank", Endpoint::Rerank, Dialect::Json),
    ("/rerank", Endpoint::Rerank, Dialect::Json),
    ("/v1/score", Endpoint::Score, Dialect::Json),
    ("/score", Endpoint::Score, Dialect::Json),
    ("/v1/classify", Endpoint::Classify, Dialect::Json),
    ("/classify", Endpoint::Classify, Dialect::Json),
    (
        "/v1/audio/transcriptions",
        Endpoint::Transcription,
        Dialect::Audio,
    ),
    ("/v1/audio/translations", Endpoint::Translation, Dialect::Audio),
    ("/v1/tokenize", Endpoint::Tokenize, Dialect::Json),
    ("/tokenize", Endpoint::Tokenize, Dialect::Json),
    ("/v1/detokenize", Endpoint::Tokenize, Dialect::Json),
    ("/detokenize", Endpoint::Tokenize, Dialect::Json),
    ("/api/chat", Endpoint::OllamaChat, Dialect::Ollama),
    ("/api/generate", Endpoint::OllamaGenerate, Dialect::Ollama),
    ("/api/embed", Endpoint::Embeddings, Dialect::Json),
];

/// What stands before the id of a response that is asked for again.
const RESPONSE: &str = "/v1/responses/";

/// What follows the id of a response that is to stop in the background.
const CANCEL: &str = "/cancel";

/// Longest id of a response. Why this number: servers make them from a UUID; OpenAI's have 53 characters.
const RESPONSE_ID_LEN_MAX: usize = 128;

/// What stands before the name of a model whose entry is asked for.
const MODEL: &str = "/v1/models/";

/// The route of a raw request target (path and query); `None` when it is not served.
pub(crate) fn route(target: &[u8]) -> Option<Route> {
    let path = path(target);
    if let Some(method) = stored_response(path) {
        return Some(Route {
            endpoint: Endpoint::Responses,
            dialect: Dialect::OpenaiResponses,
            method,
            replay: true,
        });
    }
    let served = ROUTES.into_iter().find(|(served, ..)| served.as_bytes() == path);
    // One model's entry is always answered by us, so its path may hold anything.
    let entry = || model_id(target).map(|_| (MODEL, Endpoint::Models, Dialect::Other));
    let (_, endpoint, dialect) = served.or_else(entry)?;
    let method = if endpoint == Endpoint::Models {
        Method::Get
    } else {
        Method::Post
    };
    Some(Route {
        endpoint,
        dialect,
        method,
        replay: false,
    })
}

fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or(target)
}

/// How a stored response is asked for: `GET /v1/responses/{id}` gives it again, `POST .../cancel` ends it.
fn stored_response(path: &[u8]) -> Option<Method> {
    let rest = path.strip_prefix(RESPONSE.as_bytes())?;
    let (id, method) = match rest.strip_suffix(CANCEL.as_bytes()) {
        Some(id) => (id, Method::Post),
        None => (rest, Method::Get),
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    ((1..=RESPONSE_ID_LEN_MAX).contains(&id.len()) && id.iter().all(allowed)).then_some(method)
}

/// Whether a target asks for a stream in its query, as a stored response is asked for.
pub(crate) fn asks_for_stream(target: &[u8]) -> bool {
    let query = target.get(path(target).len() + 1..).unwrap_or_default();
    query.split(|byte| *byte == b'&').any(|field| {
        field
            .strip_prefix(b"stream=")
            .is_some_and(|word| word.eq_ignore_ascii_case(b"true") || word == b"1")
    })
}

/// How the body of a request is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyForm {
    Json,
    /// Audio comes as a form.
    Multipart,
    /// There is none, or nothing in it is of interest.
    Unread,
}

/// How requests of this endpoint carry their facts.
pub(crate) const fn body_form(endpoint: Endpoint) -> BodyForm {
    match endpoint {
        Endpoint::Transcription | Endpoint::Translation => BodyForm::Multipart,
        Endpoint::Models | Endpoint::Other => BodyForm::Unread,
        _ => BodyForm::Json,
    }
}

/// The model whose entry a target asks for: what follows `/v1/models/`, with its escapes undone.
pub(crate) fn model_id(target: &[u8]) -> Option<String> {
    let id = path(target)
        .strip_prefix(MODEL.as_bytes())
        .filter(|id| !id.is_empty())?;
    percent_decode(id).decode_utf8().ok().map(Into::into)
}

// === impl Method ===

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_paths_are_found_with_and_without_a_query() {
        for target in ["/v1/chat/completions", "/v1/chat/completions?x=/v1/models"] {
            assert_eq!(
                route(target.as_bytes()).map(|route| route.endpoint),
                Some(Endpoint::Chat)
            );
        }
        for target in ["/v1/models", "/v1/models/meta-llama/Llama-3.3-70B"] {
            let found = route(target.as_bytes());
            assert_eq!(found.map(|route| route.method), Some(Method::Get), "{target}");
        }
        assert_eq!(model_id(b"/v1/models/a%2Fb?x=1").as_deref(), Some("a/b"));
        assert_eq!(model_id(b"/v1/models/"), None);
    }

    #[test]
    fn a_stored_response_is_a_replay() {
        for (target, method, stream) in [
            ("/v1/responses/resp_0aF-9", Method::Get, false),
            (
                "/v1/responses/resp_1?stream=true&starting_after=3",
                Method::Get,
                true,
            ),
            ("/v1/responses/resp_1/cancel", Method::Post, false),
            ("/v1/responses/cancel", Method::Get, false),
        ] {
            let found = route(target.as_bytes()).expect("served");
            assert_eq!((found.method, found.replay), (method, true), "{target}");
            assert_eq!(asks_for_stream(target.as_bytes()), stream, "{target}");
        }
        let made = route(b"/v1/responses?stream=true").expect("served");
        assert_eq!((made.method, made.replay), (Method::Post, false));
        let long = format!("/v1/responses/{}", "a".repeat(RESPONSE_ID_LEN_MAX + 1));
        for target in [
            "/v1/responses/",
            "/v1/responses/..",
            "/v1/responses/a/b",
            "/v1/responses//cancel",
            "/v1/responses/a%2fb",
            "/v1/responses/a/input_items",
            long.as_str(),
        ] {
            assert_eq!(route(target.as_bytes()), None, "{target}");
        }
    }

    #[test]
    fn everything_else_is_not_served() {
        for target in [
            "/",
            "",
            "*",
            "/metrics",
            "/v1/chat/completions/",
            "/v1/chat/completions/../../metrics",
            "//v1/models",
            "/v1/Models",
            "/v1%2fmodels",
            "/v1/models/",
            "/v1/models/%ff",
            "/v1/models;x",
            "/v1/models#x",
            "http://x/v1/models",
            "/sleep",
            "/shutdown",
            "/v1/load_lora_adapter",
            "/invocations",
            "/v1/models\\",
            "/v1/models%00",
        ] {
            assert_eq!(route(target.as_bytes()), None, "{target}");
        }
    }

    #[test]
    fn no_path_stands_twice() {
        let mut paths: Vec<_> = ROUTES.iter().map(|(path, ..)| path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), ROUTES.len());
    }
}
