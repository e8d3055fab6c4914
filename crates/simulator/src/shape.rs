//! The JSON of vLLM 0.33, byte for byte: stream events, whole bodies, errors.
//!
//! Members stand in vLLM's order with vLLM's nulls; a client that depends on either meets it here.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::ask::{Kind, Refusal};
use crate::cache::PromptTokens;

/// What all events and bodies of one answer share.
#[derive(Debug)]
pub(crate) struct Shape {
    kind: Kind,
    /// Up to and including `"choices":[`.
    opening: String,
    prompt: PromptTokens,
    with_details: bool,
    /// Running usage in every event.
    continuous: bool,
}

/// One piece of a choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) choice: u32,
    /// JSON-escaped text.
    pub(crate) text: &'a str,
    pub(crate) reasoning: bool,
    pub(crate) finish: Option<&'static str>,
    /// Completion tokens of this choice so far.
    pub(crate) tokens: u64,
}

/// A whole choice of an answer that is not streamed.
#[derive(Debug)]
pub(crate) struct WholeChoice {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) finish: &'static str,
}

/// What the replica calls itself, as vLLM 0.33 does with its version and a hash of its settings.
const FINGERPRINT: &str = "vllm-0.33.0-simulated";

// === impl Shape ===

impl Shape {
    /// Prepares the part that repeats. `id` and `model` are escaped here.
    pub(crate) fn new(kind: Kind, streams: bool, id: &str, model: &str, created: u64) -> Self {
        let (prefix, object) = match (kind, streams) {
            (Kind::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Kind::Chat, false) => ("chatcmpl", "chat.completion"),
            (Kind::Text, _) => ("cmpl", "text_completion"),
            (Kind::Embedding, _) => ("embd", "list"),
        };
        let mut opening = String::with_capacity(160);
        opening.push_str("{\"id\":\"");
        opening.push_str(prefix);
        opening.push('-');
        push_escaped(&mut opening, id);
        let _ = write!(
            opening,
            "\",\"object\":\"{object}\",\"created\":{created},\"model\":\""
        );
        push_escaped(&mut opening, model);
        opening.push_str(if kind == Kind::Embedding {
            "\",\"data\":["
        } else {
            "\",\"choices\":["
        });
        Self {
            kind,
            opening,
            prompt: PromptTokens::default(),
            with_details: false,
            continuous: false,
        }
    }

    /// Sets what usage says of the prompt.
    pub(crate) fn with_prompt(mut self, prompt: PromptTokens, with_details: bool, continuous: bool) -> Self {
        self.prompt = prompt;
        self.with_details = with_details;
        self.continuous = continuous;
        self
    }

    /// The event that opens a chat choice.
    pub(crate) fn role(&self, out: &mut String, choice: u32) {
        out.push_str("data: ");
        out.push_str(&self.opening);
        let _ = write!(
            out,
            "{{\"index\":{choice},\"delta\":{{\"role\":\"assistant\",\"content\":\"\"}},\"logprobs\":null,\
             \"finish_reason\":null}}]"
        );
        self.running_usage(out, 0);
        out.push_str(",\"prompt_token_ids\":null,\"prompt_text\":null}\n\n");
    }

    /// The event of one token.
    pub(crate) fn piece(&self, out: &mut String, piece: Piece<'_>) {
        let Piece {
            choice,
            text,
            reasoning,
            finish,
            tokens,
        } = piece;
        out.push_str("data: ");
        out.push_str(&self.opening);
        match (self.kind, reasoning) {
            (Kind::Chat, false) => {
                let _ = write!(
                    out,
                    "{{\"index\":{choice},\"delta\":{{\"content\":\"{text}\"}},\"logprobs\":null,"
                );
            }
            (Kind::Chat, true) => {
                let _ = write!(
                    out,
                    "{{\"index\":{choice},\"delta\":{{\"reasoning\":\"{text}\"}},\"logprobs\":null,"
                );
            }
            _ => {
                let _ = write!(out, "{{\"index\":{choice},\"text\":\"{text}\",\"logprobs\":null,");
            }
        }
        match (self.kind, finish) {
            (Kind::Chat, None) => out.push_str("\"finish_reason\":null,\"token_ids\":null}]"),
            (Kind::Chat, Some(finish)) => {
                let _ = write!(
                    out,
                    "\"finish_reason\":\"{finish}\",\"stop_reason\":null,\"token_ids\":null}}]"
                );
            }
            (_, finish) => {
                push_reason(out, finish);
                out.push_str(",\"stop_reason\":null,\"prompt_token_ids\":null,\"token_ids\":null}]");
            }
        }
        self.running_usage(out, tokens);
        out.push_str("}\n\n");
    }

    /// The last event before `[DONE]`, when usage was asked for. `completion` sums all choices.
    pub(crate) fn usage(&self, out: &mut String, completion: u64, reasoning: u64) {
        out.push_str("data: ");
        out.push_str(&self.opening);
        out.push_str("],\"usage\":{");
        self.counts(out, completion);
        if self.with_details {
            let _ = write!(
                out,
                ",\"prompt_tokens_details\":{{\"cached_tokens\":{}}}",
                self.prompt.cached
            );
        }
        if reasoning > 0 {
            let _ = write!(
                out,
                ",\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}"
            );
        }
        let _ = write!(out, "}},\"system_fingerprint\":\"{FINGERPRINT}\"}}\n\n");
    }

    /// A whole answer. `usage` is the completion and reasoning tokens of all choices, or `None` to leave it
    /// out.
    pub(crate) fn whole(&self, out: &mut String, choices: &[WholeChoice], usage: Option<(u64, u64)>) {
        out.push_str(&self.opening);
        for (index, choice) in choices.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            self.whole_choice(out, index, choice);
        }
        out.push_str("],\"service_tier\":null,");
        let _ = write!(out, "\"system_fingerprint\":\"{FINGERPRINT}\"");
        if let Some((completion, reasoning)) = usage {
            out.push_str(",\"usage\":{");
            self.counts(out, completion);
            self.details(out);
            if reasoning > 0 {
                let _ = write!(
                    out,
                    ",\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}"
                );
            }
            out.push('}');
        }
        out.push_str(match self.kind {
            Kind::Chat => {
                ",\"prompt_logprobs\":null,\"prompt_token_ids\":null,\"prompt_text\":null,\
                 \"kv_transfer_params\":null}"
            }
            _ => ",\"kv_transfer_params\":null}",
        });
    }

    /// An embedding answer of one vector per input; `base64` writes it as the openai clients ask for.
    pub(crate) fn embeddings(&self, out: &mut String, vectors: &[Vec<f32>], base64: bool) {
        out.push_str(&self.opening);
        for (index, vector) in vectors.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            let _ = write!(out, "{{\"index\":{index},\"object\":\"embedding\",\"embedding\":");
            if base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                let _ = write!(out, "\"{}\"}}", BASE64_STANDARD.encode(bytes));
            } else {
                let values: Vec<String> = vector.iter().map(f32::to_string).collect();
                let _ = write!(out, "[{}]}}", values.join(","));
            }
        }
        let total = self.prompt.total;
        let _ = write!(
            out,
            "],\"usage\":{{\"prompt_tokens\":{total},\"total_tokens\":{total},\"completion_tokens\":0,\
             \"prompt_tokens_details\":null}}}}"
        );
    }

    fn whole_choice(&self, out: &mut String, index: usize, choice: &WholeChoice) {
        let WholeChoice {
            text,
            reasoning,
            finish,
        } = choice;
        if self.kind == Kind::Chat {
            let _ = write!(
                out,
                "{{\"index\":{index},\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\",\
                 \"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\
                 \"tool_calls\":[],\"reasoning\":"
            );
            if reasoning.is_empty() {
                out.push_str("null");
            } else {
                let _ = write!(out, "\"{reasoning}\"");
            }
            let _ = write!(
                out,
                "}},\"logprobs\":null,\"finish_reason\":\"{finish}\",\"stop_reason\":null,\
                 \"token_ids\":null}}"
            );
        } else {
            let _ = write!(
                out,
                "{{\"index\":{index},\"text\":\"{text}\",\"logprobs\":null,\"finish_reason\":\"{finish}\",\
                 \"stop_reason\":null,\"token_ids\":null,\"prompt_logprobs\":null,\"prompt_token_ids\":null}}"
            );
        }
    }

    fn running_usage(&self, out: &mut String, tokens: u64) {
        if self.continuous {
            out.push_str(",\"usage\":{");
            self.counts(out, tokens);
            out.push_str(",\"completion_tokens_details\":null}");
        } else if self.kind == Kind::Text {
            out.push_str(",\"usage\":null");
        }
    }

    fn counts(&self, out: &mut String, completion: u64) {
        let prompt = self.prompt.total;
        let _ = write!(
            out,
            "\"prompt_tokens\":{prompt},\"total_tokens\":{},\"completion_tokens\":{completion}",
            prompt + completion
        );
    }

    fn details(&self, out: &mut String) {
        if self.with_details {
            let _ = write!(
                out,
                ",\"prompt_tokens_details\":{{\"cached_tokens\":{}}}",
                self.prompt.cached
            );
        } else {
            out.push_str(",\"prompt_tokens_details\":null");
        }
    }
}

/// The body of an error answer.
pub(crate) fn error_body(refusal: &Refusal) -> String {
    let message = serde_json::Value::from(refusal.message.as_str());
    let param = refusal
        .param
        .map_or("null".to_owned(), |param| format!("\"{param}\""));
    let (kind, status) = (refusal.kind, refusal.status);
    format!("{{\"error\":{{\"message\":{message},\"type\":\"{kind}\",\"param\":{param},\"code\":{status}}}}}")
}

/// The event that a dead engine leaves inside a stream: written by Python's own `json.dumps`, so with spaces.
pub(crate) const ENGINE_ERROR_EVENT: &str = "data: {\"error\": {\"message\": \"EngineCore encountered an \
    issue. See stack trace (above) for the root cause.\", \"type\": \"InternalServerError\", \
    \"param\": null, \"code\": 500}}\n\n";

fn push_reason(out: &mut String, finish: Option<&'static str>) {
    match finish {
        Some(finish) => {
            let _ = write!(out, "\"finish_reason\":\"{finish}\"");
        }
        None => out.push_str("\"finish_reason\":null"),
    }
}

/// Appends `text` as the inside of a JSON string.
fn push_escaped(out: &mut String, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push_str(text);
    } else {
        let quoted = serde_json::Value::from(text).to_string();
        out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or(""));
    }
}

#[cfg(test)]
mod tests;
