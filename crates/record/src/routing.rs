//! Why a replica was chosen, and every attempt on one.

use std::time::Duration;

use crate::labels::labels;
use crate::{Name, Tokens};

/// Why the replica of the last attempt was chosen. All `None` when none was.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Routing {
    /// The policy that chose.
    pub policy: Option<Policy>,
    /// Blocks of the prompt that were looked up; `None` when the policy looks nothing up.
    pub prefix_blocks: Option<u32>,
    /// Leading blocks that the chosen replica was believed to hold.
    pub matched_blocks: Option<u32>,
    /// Prompt tokens that were predicted to come from the replica's cache. The truth is `Usage::cached`.
    pub predicted_cached: Option<Tokens>,
}

/// One attempt on a replica.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// The replica that was tried.
    pub replica: Name,
    /// How it ended.
    pub end: AttemptEnd,
    /// From the choice of the replica to the end of the attempt.
    pub span: Duration,
}

labels! {
    /// How a replica is chosen. The words are those of the configuration.
    Policy {
        /// Where the prompt's prefix is cached and work is least, as one cost in tokens.
        Prefix = "prefix",
        /// The least work in tokens.
        LeastWork = "least-work",
        /// One after the other, by weight.
        RoundRobin = "round-robin",
        /// The less loaded of two at random.
        RandomTwo = "random-two",
        /// The home of the session.
        Session = "session",
    }
}

labels! {
    /// How an attempt on a replica ended.
    AttemptEnd {
        /// The replica answered, and its answer went to the client.
        Answered = "answered",
        /// No connection could be made.
        Connect = "connect",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The connection broke before the answer's head.
        Reset = "reset",
        /// The answer's head was not HTTP.
        Malformed = "malformed",
        /// The replica answered with a status that says to try elsewhere (429, 502, 503).
        Status = "status",
        /// The connection broke in the middle of the answer.
        Truncated = "truncated",
        /// No connection in time.
        TimeoutConnect = "timeout_connect",
        /// No response head in time.
        TimeoutFirstByte = "timeout_first_byte",
        /// No byte for too long in the middle of the answer.
        TimeoutIdle = "timeout_idle",
        /// The whole request took too long.
        TimeoutTotal = "timeout_total",
        /// The client left while the replica worked.
        ClientGone = "client_gone",
        /// We ended it: a shutdown, or a failure of our own.
        Abandoned = "abandoned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_and_ends_read_back() {
        for policy in Policy::ALL {
            assert_eq!(Policy::parse(policy.as_str()), Some(*policy));
        }
        for end in AttemptEnd::ALL {
            assert_eq!(AttemptEnd::parse(end.as_str()), Some(*end));
        }
        assert_eq!(Policy::parse("fastest"), None, "a word of nobody is no policy");
    }
}
