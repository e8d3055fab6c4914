//! One answer that is a single JSON body: read at its end, within bounded memory.

use std::time::Instant;

use memchr::memmem;
use record::{Dialect, Flags};

use crate::dialect::{Answer, read_body};
use crate::json::{Malformed, Scan};
use crate::observation::{Ending, Observation, Sent};
use crate::usage::{Report, Terms};

/// Largest body that is kept whole until its end. Why this number: a chat answer of 16,000 tokens has about
/// 80 KiB; only embeddings and log-probabilities grow beyond a mebibyte, and of those only the end is of
/// interest.
const KEPT_MAX: usize = 1 << 20;

/// How much of the end of a larger body is kept. Why this number: servers write `usage` last, in less than a
/// kibibyte.
const TAIL_LEN: usize = 4 * 1024;

/// Watches a body as it passes.
#[derive(Debug)]
pub struct ObservedBody {
    dialect: Dialect,
    kept: Vec<u8>,
    /// The beginning was let go; `kept` is the end.
    only_tail: bool,
    answer: Answer,
    first_byte: Option<Instant>,
    ended: Option<Instant>,
}

// === impl ObservedBody ===

impl ObservedBody {
    /// A watcher at the start of a body.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            kept: Vec::new(),
            only_tail: false,
            answer: Answer::default(),
            first_byte: None,
            ended: None,
        }
    }

    /// Notes bytes that arrived at `now`; they go to the client unchanged.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.first_byte.get_or_insert(now);
        self.ended = Some(now);
        if self.kept.len() + bytes.len() > KEPT_MAX {
            if !self.only_tail {
                // The name of the model stands near the beginning; the walk ends where the text does.
                let _cut_text = self.read(TAIL_LEN);
                self.only_tail = true;
            }
            self.kept
                .extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL_LEN)..).unwrap_or(bytes));
            self.kept.drain(..self.kept.len().saturating_sub(TAIL_LEN));
            return;
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Everything that was learnt. `whole`: the transport gave the body to its end.
    #[must_use]
    pub fn into_observation(mut self, sent: Sent, whole: bool) -> Observation {
        let read = if self.only_tail {
            self.read_tail()
        } else {
            self.read(self.kept.len()).is_ok()
        };
        // The counts of a body are about all of it.
        let terms = Terms {
            dialect: self.dialect,
            prompts: 1,
            choices: 1,
        };
        let mut observation = Observation::unread(
            self.first_byte.map(|at| at.saturating_duration_since(sent.head)),
            self.ended,
        );
        if whole && !read && !self.kept.is_empty() {
            observation.flags.insert(Flags::PARSE_ERROR);
            observation.malformed = 1;
        }
        observation.ending = match (&self.answer.error, whole) {
            (Some(_), _) => Ending::Error,
            (None, true) => Ending::Complete,
            (None, false) => Ending::Cut,
        };
        observation.usage = self.answer.tally.finish(terms, 0);
        observation.model = self.answer.model;
        observation.finish = self.answer.finish;
        observation.error = self.answer.error;
        observation.engine = self.answer.engine;
        observation
    }

    fn read(&mut self, len: usize) -> Result<(), Malformed> {
        let text = self.kept.get(..len).unwrap_or(&self.kept);
        read_body(self.dialect, text, &mut self.answer)
    }

    /// Looks for the usage object in the end of a large body.
    fn read_tail(&mut self) -> bool {
        let Some(found) = memmem::rfind(&self.kept, b"\"usage\":") else {
            return true;
        };
        let mut scan = Scan::new(&self.kept).starting_at(found + b"\"usage\":".len());
        match Report::read(&mut scan) {
            Ok(report) => {
                if let Some(report) = report {
                    self.answer.tally.whole(report);
                }
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{FinishReason, Tokens, UsageSource};

    fn observe(dialect: Dialect, body: &[u8], step: usize) -> Observation {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
        let t0 = Instant::now();
        let mut observed = ObservedBody::new(dialect);
        for piece in body.chunks(step) {
            observed.push(t0, piece);
        }
        observed.into_observation(
            Sent {
                head: t0,
                upstream: None,
            },
            true,
        )
    }

    #[test]
    fn a_chat_body_is_read_at_any_split() {
        let body = br#"{"id":"x","model":"m","choices":[{"index":0,"message":{"content":"\"usage\":{}"},"finish_reason":"length"}],
            "usage":{"prompt_tokens":9,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":1}}}"#;
        for step in 1..body.len() {
            let seen = observe(Dialect::OpenaiChat, body, step);
            assert_eq!(seen.model.as_deref(), Some("m"), "step {step}");
            assert_eq!(seen.finish, Some(FinishReason::Length));
            assert_eq!(
                (seen.usage.prompt, seen.usage.completion),
                (Some(Tokens(9)), Some(Tokens(3)))
            );
            assert_eq!(
                (seen.usage.reasoning, seen.ending),
                (Some(Tokens(1)), Ending::Complete)
            );
            assert_eq!(seen.times.ttft, None, "a body has no time to first token");
        }
    }

    #[test]
    fn the_usage_of_a_body_larger_than_what_is_kept_is_found() {
        let body = format!(
            r#"{{"model":"embed","data":[{}],"usage":{{"prompt_tokens":77,"total_tokens":77}}}}"#,
            vec!["0.125"; 400_000].join(",")
        );
        let mut observed = ObservedBody::new(Dialect::Json);
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
        let t0 = Instant::now();
        for piece in body.as_bytes().chunks(65_536) {
            observed.push(t0, piece);
            assert!(observed.kept.len() <= KEPT_MAX, "memory is bounded");
        }
        let seen = observed.into_observation(
            Sent {
                head: t0,
                upstream: None,
            },
            true,
        );
        assert_eq!(
            (seen.usage.prompt, seen.usage.completion),
            (Some(Tokens(77)), None)
        );
        assert_eq!(seen.model.as_deref(), Some("embed"));
    }

    #[test]
    fn an_error_body_gives_its_class_and_never_its_message() {
        for (body, class) in [
            (
                r#"{"error":{"message":"secret prompt","type":"BadRequestError","code":400}}"#,
                "BadRequestError",
            ),
            (r#"{"error":"Unauthorized"}"#, "error"),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
                "overloaded_error",
            ),
            (
                r#"{"error":{"message":"secret","type":"it said: secret prompt","code":503}}"#,
                "code_503",
            ),
        ] {
            let seen = observe(Dialect::OpenaiChat, body.as_bytes(), 7);
            assert_eq!(seen.error.as_deref(), Some(class), "{body}");
            assert!(!format!("{seen:?}").contains("secret"), "{seen:?}");
        }
    }

    #[test]
    fn bodies_of_other_servers_are_read_too() {
        let ollama = br#"{"model":"q","done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2,"eval_duration":1000000000}"#;
        let seen = observe(Dialect::Ollama, ollama, 9);
        assert_eq!(
            (seen.usage.completion, seen.engine.tokens_per_second),
            (Some(Tokens(2)), Some(2.0))
        );
        let llama = br#"{"model":"l","choices":[],"timings":{"cache_n":3,"prompt_n":4,"prompt_ms":12.5,"predicted_n":8}}"#;
        let seen = observe(Dialect::OpenaiChat, llama, 9);
        assert_eq!(
            (seen.usage.prompt, seen.usage.source),
            (Some(Tokens(7)), UsageSource::Timings)
        );
        let audio = observe(
            Dialect::Audio,
            br#"{"text":"a","usage":{"type":"duration","seconds":4}}"#,
            9,
        );
        assert_eq!(audio.usage.audio_seconds, Some(4.0));
    }

    #[test]
    fn a_body_that_is_not_json_is_flagged() {
        let seen = observe(Dialect::Json, b"<html>", 3);
        assert!(seen.flags.contains(Flags::PARSE_ERROR), "{:?}", seen.flags);
    }
}
