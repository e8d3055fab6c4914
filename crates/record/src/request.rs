//! The record: one per request, however it ended. Definitions: `docs/metrics.md`.

use std::time::Duration;

use crate::{
    Attempt, Dialect, Endpoint, FinishReason, Name, Outcome, ResponseFormat, Routing, ServiceTier, Sketch,
    Tokens, UnixMillis, UsageSource,
};

/// Everything that is known about one request. Never a prompt, a completion, a key or an error message.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRecord {
    /// The request id: accepted from `x-request-id` or made (UUIDv7). At most 128 characters of
    /// `[A-Za-z0-9._-]`.
    pub id: Name,
    /// Wall time of the parsed request head (t0).
    pub started_at: UnixMillis,
    /// W3C trace id, when the client sent a valid `traceparent`.
    pub trace_id: Option<[u8; 16]>,
    /// What was asked for, by path.
    pub endpoint: Endpoint,
    /// The wire format of the answer.
    pub dialect: Dialect,
    /// The pool that took the request; `None` when it was refused before.
    pub pool: Option<Name>,
    /// The model that the request named.
    pub model_requested: Option<Name>,
    /// The model that the answer named.
    pub model: Option<Name>,
    /// The replica of the last attempt; `None` when none was chosen.
    pub replica: Option<Name>,
    /// How often a replica was tried.
    pub attempts: Attempts,
    /// Every attempt in order, when one of them failed; empty when the first one answered or there was none.
    pub attempt_log: Vec<Attempt>,
    /// Why the replica was chosen.
    pub routing: Routing,
    /// The shape of the request.
    pub shape: Shape,
    /// The HTTP status sent to the client; `None` when it left before the head.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// The class of the error (`error.type`, or our own word), never its message.
    pub error_type: Option<Name>,
    /// Why choice 0 ended.
    pub finish_reason: Option<FinishReason>,
    /// Whether the terminal marker was seen; `None` when the answer was not a stream.
    pub terminal: Option<bool>,
    /// All times, from the monotonic clock.
    pub times: Times,
    /// The gaps between token-bearing arrivals (ITL), each within 1 %; empty when there were fewer than two
    /// arrivals. Ledger rollups merge it into their ITL sketches, which are of the same type.
    pub gaps: Sketch,
    /// Token counts and their source.
    pub usage: Usage,
    /// What the engine said about itself.
    pub engine: Engine,
    /// Who asked.
    pub identity: Identity,
    /// Bytes of the request body.
    pub request_bytes: u64,
    /// Bytes of the answer's body as they went to the client.
    pub response_bytes: u64,
    /// Whether the service goals were met; `None` when the request is not eligible or no goal is set.
    pub good: Option<bool>,
    /// What the parser noticed.
    pub flags: Flags,
}

/// How often a replica was tried.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attempts(pub u16);

/// What the request asked for, beyond its model.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// Whether a stream was asked for; `None` when the body could not be read.
    pub stream: Option<bool>,
    /// `n`: the number of choices asked for.
    pub choices: Option<u32>,
    /// The limit on completion tokens.
    pub max_tokens: Option<Tokens>,
    /// vLLM's scheduling priority; lower goes first.
    pub priority: Option<i64>,
    /// Number of tools that the model may call.
    pub tools: Option<u32>,
    /// The form of answer.
    pub response_format: Option<ResponseFormat>,
    /// Number of images in the prompt; `None` when the body could not be read.
    pub images: Option<u32>,
    /// Number of audio parts in the prompt; `None` when the body could not be read.
    pub audios: Option<u32>,
    /// The class of service.
    pub service_tier: Option<ServiceTier>,
}

/// Spans of one request. Names follow semantics of t0 (head parsed) to td (last byte accepted by the client).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// First body byte minus t0.
    pub ttfb: Option<Duration>,
    /// First token event minus t0; streams only.
    pub ttft: Option<Duration>,
    /// First token event minus the last request byte sent to the replica that answered.
    pub upstream_ttft: Option<Duration>,
    /// First token event that is not reasoning, minus t0.
    pub ttfo: Option<Duration>,
    /// Second token-bearing arrival minus the first.
    pub ttst: Option<Duration>,
    /// Last token event minus the first.
    pub generation: Option<Duration>,
    /// Time per output token after the first arrival.
    pub tpot: Option<Duration>,
    /// Mean gap between token-bearing arrivals.
    pub itl_mean: Option<Duration>,
    /// Largest gap between token-bearing arrivals.
    pub itl_max: Option<Duration>,
    /// Number of gaps between token-bearing arrivals; 0 when there were fewer than two arrivals.
    pub itl_count: u64,
    /// Gaps longer than a second.
    pub stalls: u32,
    /// Terminal event (stream) or last body byte (not a stream) minus t0.
    pub e2e: Duration,
    /// Last byte of the request body minus t0.
    pub upload: Option<Duration>,
    /// From the complete body to the choice of a replica.
    pub queue: Option<Duration>,
    /// From the choice to a connection; zero when one was reused.
    pub connect: Option<Duration>,
    /// Time spent in our own code.
    pub overhead: Duration,
    /// Time blocked on a client that read slowly; `None` when the answer was not a stream.
    pub client_stall: Option<Duration>,
    /// When the client closed, after t0; `None` when it stayed.
    pub client_gone: Option<Duration>,
}

/// Token counts. `prompt` includes cached tokens, `completion` includes reasoning tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// All tokens of the prompt.
    pub prompt: Option<Tokens>,
    /// All generated tokens, over all choices.
    pub completion: Option<Tokens>,
    /// Prompt tokens that were read from a cache.
    pub cached: Option<Tokens>,
    /// Prompt tokens that were written to a cache.
    pub cache_write: Option<Tokens>,
    /// Generated tokens that were reasoning.
    pub reasoning: Option<Tokens>,
    /// Seconds of audio, for transcriptions that bill by time.
    pub audio_seconds: Option<f64>,
    /// Where the counts come from.
    pub source: UsageSource,
    /// An estimate of the generated tokens; only when `completion` is unknown.
    pub completion_estimated: Option<Tokens>,
    /// Events of the stream that carried tokens; `None` when the answer was not a stream.
    pub token_events: Option<u64>,
    /// Reads from the replica that carried at least one token event; `None` when the answer was not a stream.
    pub arrivals: Option<u64>,
}

/// What the engine said about its own work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Engine {
    /// Time in the engine's queue.
    pub queue: Option<Duration>,
    /// The engine's own time to first token.
    pub ttft: Option<Duration>,
    /// The engine's own output tokens per second.
    pub tokens_per_second: Option<f64>,
    /// Share of speculated tokens that were accepted, 0 to 1.
    pub spec_accept_rate: Option<f64>,
}

/// Who asked. Hashes are keyed, so that a list of likely values cannot undo them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// HMAC of the API key, or its configured alias.
    pub key: Option<Name>,
    /// HMAC of the end user's id, unless configured to be plain.
    pub user: Option<Name>,
    /// HMAC of the session id.
    pub session: Option<Name>,
    /// The client's library and version, such as `openai-python/3.54`.
    pub sdk: Option<Name>,
    /// The library's own count of retries.
    pub sdk_retry: Option<u32>,
    /// The client's network (address cut to /24 or /48), or HMAC of its address; `None` unless configured.
    pub client_net: Option<Name>,
    /// Which secret made the hashes, by the first bits of its own hash; `None` without hashes.
    pub hash_key_id: Option<u32>,
    /// The configured tags that have a value for this request; at most [`TAGS_MAX`].
    pub tags: Vec<Tag>,
}

/// Most tags of one request. Why this number: each is a rollup cell of its own in every bucket of time.
pub const TAGS_MAX: usize = 8;

/// A configured label of a request, such as `team` = `search`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag {
    /// The configured name.
    pub name: Name,
    /// Its value for this request.
    pub value: Name,
}

/// What the parser noticed on the way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(u32);

// === impl Default for Usage ===

impl Default for Usage {
    fn default() -> Self {
        Self {
            prompt: None,
            completion: None,
            cached: None,
            cache_write: None,
            reasoning: None,
            audio_seconds: None,
            source: UsageSource::None,
            completion_estimated: None,
            token_events: None,
            arrivals: None,
        }
    }
}

// === impl Flags ===

impl Flags {
    /// A stream ended without its terminal marker.
    pub const NO_DONE: Self = Self(1);
    /// An event was not the JSON that its dialect promises.
    pub const PARSE_ERROR: Self = Self(1 << 1);
    /// A line was longer than the parser keeps; it was forwarded but not read.
    pub const LINE_TOO_LONG: Self = Self(1 << 2);
    /// We asked for the usage chunk of this stream; when it came, it was taken out again.
    pub const USAGE_INJECTED: Self = Self(1 << 3);
    /// The client read so slowly that the token times are not the engine's.
    pub const SLOW_CLIENT: Self = Self(1 << 4);
    /// The answer was compressed: forwarded but not read.
    pub const COMPRESSED: Self = Self(1 << 5);
    /// The request body was not JSON that we could read.
    pub const BODY_UNREAD: Self = Self(1 << 6);

    /// Names of all flags, in the order of their bits.
    const NAMES: [(Self, &'static str); 7] = [
        (Self::NO_DONE, "no_done"),
        (Self::PARSE_ERROR, "parse_error"),
        (Self::LINE_TOO_LONG, "line_too_long"),
        (Self::USAGE_INJECTED, "usage_injected"),
        (Self::SLOW_CLIENT, "slow_client"),
        (Self::COMPRESSED, "compressed"),
        (Self::BODY_UNREAD, "body_unread"),
    ];

    /// Sets every flag of `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, for storage.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags behind stored bits; unknown bits are kept.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The names of the set flags, for people.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| name)
    }
}

// === impl MetricRecord ===

impl MetricRecord {
    /// The model to show and to group by: what answered, else what was asked for.
    #[must_use]
    pub fn model_name(&self) -> Option<&Name> {
        self.model.as_ref().or(self.model_requested.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_set_with_names() {
        let mut flags = Flags::default();
        flags.insert(Flags::NO_DONE);
        flags.insert(Flags::COMPRESSED);
        assert!(flags.contains(Flags::NO_DONE), "what was set is there");
        assert!(!flags.contains(Flags::PARSE_ERROR), "what was not set is not");
        assert_eq!(flags.names().collect::<Vec<_>>(), ["no_done", "compressed"]);
        assert_eq!(Flags::from_bits(flags.bits()), flags);
    }
}
