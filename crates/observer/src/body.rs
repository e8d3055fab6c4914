//! One answer that is a single JSON body: outlined as it passes, read at its end.

mod outline;

use std::time::Instant;

use record::{Dialect, Flags, Usage};

use crate::dialect::{Answer, read_body};
use crate::observation::{Ending, Observation, Sent};
use crate::usage::Terms;

use outline::Outline;

/// Watches a body as it passes.
///
/// Of a body of any length no more than 68 KiB is kept: the fields that are read.
#[derive(Debug)]
pub struct ObservedBody {
    dialect: Dialect,
    /// The body repeats an answer that was generated for another request.
    replay: bool,
    outline: Outline,
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
            replay: false,
            outline: Outline::default(),
            first_byte: None,
            ended: None,
        }
    }

    /// A watcher of a body that repeats an answer that was generated for another request: its tokens are not
    /// counted again.
    #[must_use]
    pub fn of_replay(dialect: Dialect) -> Self {
        Self {
            replay: true,
            ..Self::new(dialect)
        }
    }

    /// Notes bytes that arrived at `now`; they go to the client unchanged.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.first_byte.get_or_insert(now);
        self.ended = Some(now);
        self.outline.push(bytes);
    }

    /// Everything that was learnt. `whole`: the transport gave the body to its end.
    #[must_use]
    pub fn into_observation(self, sent: Sent, whole: bool) -> Observation {
        let mut answer = Answer::default();
        let read = read_body(self.dialect, self.outline.text(), &mut answer);
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
        if whole && read.is_err() && self.first_byte.is_some() {
            observation.flags.insert(Flags::PARSE_ERROR);
            observation.malformed = 1;
        }
        observation.ending = match (&answer.error, whole) {
            (Some(_), _) => Ending::Error,
            (None, true) => Ending::Complete,
            (None, false) => Ending::Cut,
        };
        observation.usage = if self.replay {
            Usage::default()
        } else {
            answer.tally.finish(terms, 0)
        };
        observation.model = answer.model;
        observation.finish = answer.finish;
        observation.error = answer.error;
        observation.engine = answer.engine;
        observation
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
    fn a_body_of_megabytes_is_read_wherever_its_fields_stand() {
        let logprobs = vec![r#"{"token":"\"usage\":{}","logprob":-0.125}"#; 100_000].join(",");
        let body = format!(
            r#"{{"object":"chat.completion","model":"m","choices":[{{"index":0,"message":{{"content":"{}"}},
            "logprobs":{{"content":[{logprobs}]}},"finish_reason":"length"}}],
            "usage":{{"prompt_tokens":77,"completion_tokens":5}},"prompt_logprobs":[{logprobs}]}}"#,
            "text ".repeat(400_000)
        );
        assert!(body.len() > 10_000_000, "{} bytes", body.len());
        for step in [1_000, 65_536] {
            let seen = observe(Dialect::OpenaiChat, body.as_bytes(), step);
            assert_eq!(
                (seen.usage.prompt, seen.usage.completion),
                (Some(Tokens(77)), Some(Tokens(5)))
            );
            assert_eq!(seen.model.as_deref(), Some("m"));
            assert_eq!(seen.finish, Some(FinishReason::Length));
            assert_eq!(seen.malformed, 0);
        }
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
