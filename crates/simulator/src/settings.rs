//! What one simulated replica is told at start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::fault::FaultRate;

/// All settings of one simulated replica. [`Settings::default`] answers at once, on a port that the system
/// picks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 lets the system pick one.
    pub listen: SocketAddr,
    /// Models that it serves; a request for another one is a 404. The first answers requests that name none.
    pub models: Vec<String>,
    /// Time to the first token of an empty prompt.
    pub ttft: Duration,
    /// Prefill time of each prompt token that is not in the prefix cache.
    pub prefill_per_token: Duration,
    /// Time between two tokens.
    pub itl: Duration,
    /// Spread of both times: sigma of a log-normal factor with mean 1. Zero is exact; 0.5 has a long tail.
    pub jitter: f64,
    /// How much a full batch stretches `itl`: 0.5 makes it 1.5 times as long at `max_num_seqs` running
    /// requests.
    pub contention: f64,
    /// How fast this replica is: 2.0 halves every time, 0.5 doubles it.
    pub speed: f64,
    /// Completion tokens of a choice, drawn evenly; `max_tokens` of the request caps it.
    pub tokens: TokenRange,
    /// Share of the completion tokens that is reasoning, from 0 to 1. Chat only.
    pub reasoning: f64,
    /// Requests that run at once; more wait in line.
    pub max_num_seqs: usize,
    /// Tokens that the KV cache holds: the base of `kv_cache_usage_perc` and the size of the prefix cache.
    pub kv_cache_tokens: u64,
    /// Whether final usage carries `prompt_tokens_details.cached_tokens`.
    pub prompt_tokens_details: bool,
    /// How long an unused connection is kept; uvicorn's own default is 5 s.
    pub keep_alive: Duration,
    /// Seed of every draw. A request's draws depend on it and on the request's `x-request-id`, or else its
    /// number.
    pub seed: u64,
    /// Faults that strike by chance.
    pub faults: Vec<FaultRate>,
    /// How many of the latest requests are kept for [`crate::Simulator::requests`].
    pub capture: usize,
}

/// An inclusive range of token counts: `40..400`, or `16` for exactly 16.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenRange {
    /// The smallest count.
    pub min: u64,
    /// The largest count.
    pub max: u64,
}

/// Most tokens of one choice. Bounds the work that one request header can ask for.
pub(crate) const TOKENS_MAX: u64 = 1_000_000;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            models: vec!["sim-model".to_owned()],
            ttft: Duration::ZERO,
            prefill_per_token: Duration::ZERO,
            itl: Duration::ZERO,
            jitter: 0.0,
            contention: 0.0,
            speed: 1.0,
            tokens: TokenRange { min: 16, max: 16 },
            reasoning: 0.0,
            max_num_seqs: 256,
            kv_cache_tokens: 400_000,
            prompt_tokens_details: true,
            keep_alive: Duration::from_secs(5),
            seed: 1,
            faults: Vec::new(),
            capture: 0,
        }
    }
}

// === impl TokenRange ===

impl FromStr for TokenRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal =
            || format!("`{text}` is not a token range; write it like 40..400, or 16 for exactly 16");
        let count = |part: &str| part.trim().parse::<u64>().map_err(|_| refusal());
        let (min, max) = match text.split_once("..") {
            Some((min, max)) => (count(min)?, count(max.strip_prefix('=').unwrap_or(max))?),
            None => (count(text)?, count(text)?),
        };
        if min == 0 || min > max || max > TOKENS_MAX {
            return Err(format!(
                "`{text}` must run from at least 1 to at most {TOKENS_MAX}, the smaller first"
            ));
        }
        Ok(Self { min, max })
    }
}

impl fmt::Display for TokenRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_ranges_read_and_write_back() {
        assert_eq!("40..400".parse(), Ok(TokenRange { min: 40, max: 400 }));
        assert_eq!("16".parse(), Ok(TokenRange { min: 16, max: 16 }));
        assert_eq!("1..=9".parse(), Ok(TokenRange { min: 1, max: 9 }));
        assert_eq!(TokenRange { min: 2, max: 3 }.to_string(), "2..3");
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused_with_the_form() {
        for text in ["", "a..b", "0..4", "9..3", "1..99999999", "-1..4"] {
            let refusal = text.parse::<TokenRange>().unwrap_err();
            assert!(refusal.contains(text), "{text}: {refusal}");
        }
    }
}
