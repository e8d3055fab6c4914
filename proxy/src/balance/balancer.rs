//! The balancer of a pool: its policy, and what all policies share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use record::{Policy, Tokens};

use crate::balance::calibration::Calibration;
use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Belief, Choice, Chooser, Estimate, Request};
use crate::balance::least_work::LeastWork;
use crate::balance::load::{Dispatched, Load};
use crate::balance::prefix::Prefix;
use crate::balance::random::Random;
use crate::balance::random_two::RandomTwo;
use crate::balance::round_robin::RoundRobin;
use crate::balance::session::Session;
use crate::balance::slots::{Slot, Slots};

/// How a pool balances.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BalancerSettings {
    /// The policy at first.
    pub policy: Policy,
    /// Most memory of the prefix index, in bytes. It is taken at the first prompt, never at start.
    pub index_bytes_max: usize,
    /// Seed of all chance.
    pub seed: u64,
}

/// Chooses replicas, and learns from what became of its choices. Shared by all requests of a pool; no call
/// waits for anything but a short lock.
#[derive(Debug)]
pub struct Balancer {
    /// The place of the policy in [`Policy::ALL`].
    policy: AtomicUsize,
    seed: u64,
    round_robin: RoundRobin,
    prefix: Prefix,
    slots: Slots,
    calibration: Calibration,
    choices: AtomicU64,
    /// Mean of the predicted prefill of the requests of late, in tokens.
    prefill_mean: AtomicU64,
}

/// A replica's place in a pool's balancer, given back when the replica goes.
#[derive(Debug)]
pub struct Seat {
    balancer: Arc<Balancer>,
    slot: Option<Slot>,
    load: Arc<Load>,
}

/// The newest request counts for one part in this many of the mean prefill.
const MEMORY: u64 = 32;

// === impl BalancerSettings ===

impl BalancerSettings {
    /// Memory of the prefix index when nothing is said. Why this number: a million blocks of a kilobyte,
    /// which is what the caches of a hundred replicas hold; `benches/RESULTS.md`.
    pub const INDEX_BYTES: usize = 48 * 1024 * 1024;

    /// A policy with the usual index.
    #[must_use]
    pub const fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            index_bytes_max: Self::INDEX_BYTES,
            seed,
        }
    }
}

// === impl Balancer ===

impl Balancer {
    /// A balancer without replicas.
    #[must_use]
    pub fn new(settings: BalancerSettings) -> Self {
        let balancer = Self {
            policy: AtomicUsize::new(0),
            seed: settings.seed,
            round_robin: RoundRobin::default(),
            prefix: Prefix::new(settings.index_bytes_max),
            slots: Slots::new(),
            calibration: Calibration::default(),
            choices: AtomicU64::new(0),
            prefill_mean: AtomicU64::new(0),
        };
        balancer.set_policy(settings.policy);
        balancer
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let at = self.policy.load(Relaxed);
        Policy::ALL.get(at).copied().unwrap_or(Policy::Prefix)
    }

    /// This policy is in force from now on. What was learned stays.
    pub fn set_policy(&self, policy: Policy) {
        let at = Policy::ALL.iter().position(|other| *other == policy);
        self.policy.store(at.unwrap_or(0), Relaxed);
    }

    fn chooser(&self) -> &dyn Chooser {
        match self.policy() {
            Policy::RoundRobin => &self.round_robin,
            Policy::RandomTwo => &RandomTwo,
            Policy::LeastWork => &LeastWork,
            Policy::Session => &Session,
            Policy::Prefix => &self.prefix,
        }
    }

    /// Whether prompts need be hashed: not for a policy that looks nothing up.
    #[must_use]
    pub fn wants_blocks(&self) -> bool {
        self.chooser().wants_blocks()
    }

    /// A replica joins, for as long as the seat lives.
    #[must_use]
    pub fn seat(self: &Arc<Self>) -> Seat {
        Seat {
            slot: self.join(),
            balancer: Arc::clone(self),
            load: Arc::default(),
        }
    }

    /// A replica joins; `None` when 256 of them are there, and then it has no share in the prefix index. May
    /// take a millisecond: not for the way of a request.
    #[must_use]
    pub fn join(&self) -> Option<Slot> {
        let (slot, used) = self.slots.take()?;
        if used {
            self.prefix.forget(slot);
        }
        Some(slot)
    }

    /// A replica left for good, or lost its cache in a restart: then it joins anew. Once for each slot.
    pub fn leave(&self, slot: Slot) {
        self.slots.give_back(slot);
    }

    /// Chooses among the candidates; `None` when none has room. Allocates nothing.
    #[must_use]
    pub fn choose(&self, request: &Request, candidates: &[Candidate]) -> Option<Choice> {
        let nth = self.choices.fetch_add(1, Relaxed);
        let mut random = Random::new(self.seed ^ nth.rotate_left(32));
        let ratio = self.calibration.ratio(request.model, request.prompt.bytes);
        let estimate = Estimate::new(&request.prompt, ratio, self.prefill_mean.load(Relaxed));
        self.chooser().choose(request, estimate, candidates, &mut random)
    }

    /// The request goes to the chosen replica. The guard counts it there until it is dropped.
    #[must_use]
    pub fn dispatch(
        &self,
        request: &Request,
        choice: &Choice,
        slot: Option<Slot>,
        load: &Arc<Load>,
    ) -> Dispatched {
        if let Some(slot) = slot {
            self.chooser().dispatched(request, slot);
        }
        // Two at once may lose one of the two; the mean does not mind.
        let mean = self.prefill_mean.load(Relaxed);
        let mean = mean - mean / MEMORY + choice.prefill.0 / MEMORY;
        self.prefill_mean.store(mean, Relaxed);
        load.dispatch(choice.prefill.0)
    }

    /// The replica answered without a failure, and this is what it reported.
    pub fn finished(
        &self,
        request: &Request,
        choice: &Choice,
        slot: Option<Slot>,
        prompt: Option<Tokens>,
        cached: Option<Tokens>,
    ) {
        let bytes = request.prompt.bytes;
        if let Some(prompt) = prompt {
            self.calibration.learn(request.model, bytes, prompt.0);
        }
        let matched = choice
            .routing
            .matched_blocks
            .and_then(|blocks| usize::try_from(blocks).ok());
        if let (Some(slot), Some(cached), Some(matched)) = (slot, cached, matched) {
            let ratio = self.calibration.ratio(request.model, bytes);
            let believed = Estimate::new(&request.prompt, ratio, 0).cached(matched);
            let belief = Belief {
                believed,
                cached: cached.0,
            };
            self.chooser().learned(slot, belief);
        }
    }

    /// The replica failed before it answered: it holds no more of the prompt than it was believed to.
    pub fn failed(&self, request: &Request, choice: &Choice, slot: Option<Slot>) {
        if let (Some(slot), Some(matched)) = (slot, choice.routing.matched_blocks) {
            let held = usize::try_from(matched).unwrap_or(usize::MAX);
            self.chooser().failed(request, slot, held);
        }
    }
}

// === impl Seat ===

impl Seat {
    /// The replica's slot in the prefix index, if it has one.
    #[must_use]
    pub const fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// What it has to do.
    #[must_use]
    pub const fn load(&self) -> &Arc<Load> {
        &self.load
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.balancer.leave(slot);
        }
    }
}

#[cfg(test)]
mod tests;
