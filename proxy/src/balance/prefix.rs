//! `prefix`: where the beginning of the prompt is cached and work is least, as one cost in tokens.

use parking_lot::RwLock;
use record::{Policy, Routing, Tokens};

use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Belief, Choice, Chooser, Estimate, Request};
use crate::balance::cost::{Best, cost};
use crate::balance::index::PrefixIndex;
use crate::balance::random::{Random, mixed};
use crate::balance::slots::{Mask, Slot};
use crate::balance::trust::Trust;

/// The index of a pool, for all its models: the model is in the hashes.
#[derive(Debug)]
pub(crate) struct Prefix {
    index: RwLock<PrefixIndex>,
    trust: Trust,
}

// === impl Prefix ===

impl Prefix {
    /// A policy whose index takes at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            index: RwLock::new(PrefixIndex::new(bytes_max)),
            trust: Trust::new(),
        }
    }
}

// === impl Chooser for Prefix ===

impl Chooser for Prefix {
    fn choose(
        &self,
        request: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        random: &mut Random,
    ) -> Option<Choice> {
        let blocks = &request.prompt.blocks;
        let open = || candidates.iter().enumerate().filter(|(_, one)| one.has_room());
        let among = open().fold(Mask::default(), |mut among, (_, one)| {
            if let Some(slot) = one.slot {
                among.insert(slot);
            }
            among
        });
        let matches = self.index.read().matches(blocks, among);
        let held = |one: &Candidate| one.slot.map_or(0, |slot| matches.of(slot));
        let cached = |one: &Candidate, blocks| {
            let tokens = estimate.cached(blocks);
            one.slot.map_or(0, |slot| self.trust.of(slot, tokens))
        };
        let mut best = Best::default();
        for (at, candidate) in open() {
            let uncached = estimate.prompt - cached(candidate, held(candidate));
            let cost = cost(candidate, uncached, estimate.prefill_mean);
            // A session breaks ties, it never overrides load.
            best.offer(at, cost, || match request.session {
                Some(session) => mixed(session ^ candidate.home),
                None => random.next_bits(),
            });
        }
        let (at, _) = best.taken()?;
        let matched = candidates.get(at).map_or(0, held);
        let cached = candidates.get(at).map_or(0, |one| cached(one, matched));
        Some(Choice {
            at,
            routing: Routing {
                policy: Some(Policy::Prefix),
                prefix_blocks: Some(count(blocks.len())),
                matched_blocks: Some(count(matched)),
                predicted_cached: Some(Tokens(cached)),
            },
            prefill: Tokens(estimate.prompt - cached),
        })
    }

    fn wants_blocks(&self) -> bool {
        true
    }

    fn dispatched(&self, request: &Request, slot: Slot) {
        let blocks = &request.prompt.blocks;
        if !blocks.is_empty() {
            self.index.write().insert(blocks, slot);
        }
    }

    fn failed(&self, request: &Request, slot: Slot, held: usize) {
        if let Some(wrong) = request
            .prompt
            .blocks
            .get(held..)
            .filter(|wrong| !wrong.is_empty())
        {
            self.index.write().remove(wrong, slot);
        }
    }

    fn learned(&self, slot: Slot, belief: Belief) {
        self.trust.learn(slot, belief);
    }

    fn forget(&self, slot: Slot) {
        self.trust.reset(slot);
        self.index.write().forget(slot);
    }
}

fn count(blocks: usize) -> u32 {
    u32::try_from(blocks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::calibration::Calibration;
    use crate::balance::chain::ChainHasher;
    use crate::balance::slots::Slots;

    fn fleet(len: u64) -> Vec<Candidate> {
        let slots = Slots::new();
        (0..len)
            .map(|name| Candidate::idle(slots.take().map(|(slot, _)| slot), mixed(name + 1)))
            .collect()
    }

    fn asked(text: &str) -> (Request, Estimate) {
        let request = Request {
            prompt: ChainHasher::whole(1, &[], text.as_bytes()),
            ..Request::default()
        };
        let ratio = Calibration::default().ratio(1, request.prompt.bytes);
        let estimate = Estimate::new(&request.prompt, ratio, 500);
        (request, estimate)
    }

    #[test]
    fn the_next_turn_goes_where_the_conversation_is() {
        let policy = Prefix::new(1 << 20);
        let candidates = fleet(20);
        let mut random = Random::new(5);
        let history = "a conversation of some length, ".repeat(400);
        let (request, estimate) = asked(&history);
        let first = policy
            .choose(&request, estimate, &candidates, &mut random)
            .unwrap();
        assert_eq!(first.routing.matched_blocks, Some(0), "nobody holds it yet");
        assert_eq!(first.prefill.0, estimate.prompt);
        policy.dispatched(&request, candidates[first.at].slot.unwrap());
        let (request, estimate) = asked(&(history + "and the next question"));
        for _ in 0..10 {
            let next = policy
                .choose(&request, estimate, &candidates, &mut random)
                .unwrap();
            assert_eq!(next.at, first.at, "its cache holds the conversation");
            assert_eq!(next.routing.prefix_blocks, next.routing.matched_blocks);
            let cached = next.routing.predicted_cached.unwrap();
            assert_eq!(next.prefill.0 + cached.0, estimate.prompt);
        }
    }

    #[test]
    fn affinity_bends_with_load_at_the_worth_of_the_cache() {
        let policy = Prefix::new(1 << 20);
        let mut candidates = fleet(2);
        let (request, estimate) = asked(&"x".repeat(40 * 1024));
        policy.dispatched(&request, candidates[0].slot.unwrap());
        let mut random = Random::new(5);
        let mut at = |queued_prefill: u64| {
            candidates[0].queued_prefill = queued_prefill;
            policy
                .choose(&request, estimate, &candidates, &mut random)
                .unwrap()
                .at
        };
        assert_eq!(at(0), 0);
        assert_eq!(
            at(10_000),
            0,
            "a cache of 10,240 tokens is worth a queue of 10,000"
        );
        assert_eq!(at(10_500), 1, "and not one of 10,500");
    }

    #[test]
    fn what_a_failed_attempt_did_not_compute_is_not_believed() {
        let policy = Prefix::new(1 << 20);
        let candidates = fleet(1);
        let slot = candidates[0].slot.unwrap();
        let (request, estimate) = asked(&"y".repeat(8 * 1024));
        policy.dispatched(&request, slot);
        policy.failed(&request, slot, 3);
        let mut random = Random::new(5);
        let choice = policy
            .choose(&request, estimate, &candidates, &mut random)
            .unwrap();
        assert_eq!(choice.routing.matched_blocks, Some(3));
        policy.forget(slot);
        let choice = policy
            .choose(&request, estimate, &candidates, &mut random)
            .unwrap();
        assert_eq!(choice.routing.matched_blocks, Some(0), "the replica restarted");
    }
}
