//! The interface between the balancer and its policies.

use std::fmt::Debug;

use record::{Routing, Tokens};

use crate::balance::calibration::Ratio;
use crate::balance::candidate::Candidate;
use crate::balance::chain::{Prompt, bytes_of};
use crate::balance::random::Random;
use crate::balance::slots::Slot;

/// What a policy knows of a request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A hash of the model's name.
    pub model: u64,
    /// A hash of the session, when the client names one.
    pub session: Option<u64>,
    /// The prompt: its length and the hashes of its blocks.
    pub prompt: Prompt,
}

/// A choice and its reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Which of the candidates.
    pub at: usize,
    /// Why, for the record.
    pub routing: Routing,
    /// Prompt tokens that the replica has to compute, as predicted.
    pub prefill: Tokens,
}

/// What the balancer has worked out before a policy is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    /// Tokens of the whole prompt.
    pub(crate) prompt: u64,
    /// Prompt tokens that had to be computed for the requests of late, on average.
    pub(crate) prefill_mean: u64,
    ratio: Ratio,
}

/// What a replica was believed to hold of a prompt, and what it said, in tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    pub(crate) believed: u64,
    pub(crate) cached: u64,
}

/// A policy. It never chooses a candidate without room, and chooses one whenever one has room.
pub(crate) trait Chooser: Debug + Send + Sync {
    /// Chooses among `candidates`; `None` when none has room.
    fn choose(
        &self,
        request: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        random: &mut Random,
    ) -> Option<Choice>;

    /// Whether the hashes of the prompt's blocks are of use.
    fn wants_blocks(&self) -> bool {
        false
    }

    /// The request went to the replica of this slot.
    fn dispatched(&self, _: &Request, _: Slot) {}

    /// The attempt failed: the replica holds no more than the first `held` blocks.
    fn failed(&self, _: &Request, _: Slot, _held: usize) {}

    /// The replica was believed to hold so many tokens of the prompt, and so many were cached.
    fn learned(&self, _: Slot, _: Belief) {}

    /// The slot belongs to nobody, or to somebody new.
    fn forget(&self, _: Slot) {}
}

// === impl Estimate ===

impl Estimate {
    pub(crate) fn new(prompt: &Prompt, ratio: Ratio, prefill_mean: u64) -> Self {
        Self {
            prompt: ratio.tokens(prompt.bytes),
            prefill_mean,
            ratio,
        }
    }

    /// A prompt of so many tokens, for tests of policies.
    #[cfg(test)]
    pub(crate) fn plain(tokens: u64) -> Self {
        let ratio = crate::balance::calibration::Calibration::default().ratio(0, 0);
        Self::new(&Prompt::unread(tokens * 4), ratio, 1)
    }

    /// Tokens of the first `blocks` blocks of the prompt; at most all of it.
    pub(crate) fn cached(&self, blocks: usize) -> u64 {
        self.ratio.tokens(bytes_of(blocks)).min(self.prompt)
    }
}

// === impl Choice ===

impl Choice {
    /// A choice without a look at caches.
    pub(crate) fn blind(at: usize, policy: record::Policy, estimate: Estimate) -> Self {
        Self {
            at,
            routing: Routing {
                policy: Some(policy),
                ..Routing::default()
            },
            prefill: Tokens(estimate.prompt),
        }
    }
}
