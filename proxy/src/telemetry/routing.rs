//! Why requests went where they went, and how right that was.

use prometheus::{IntCounter, IntCounterVec};
use record::{MetricRecord, Name, Policy, Routing};

use super::maker::Maker;
use super::series::Found;

/// Choices of replicas, and what was believed about their caches.
#[derive(Debug)]
pub(super) struct RoutingCounts {
    choices: IntCounterVec,
    blocks: IntCounterVec,
    cached: IntCounterVec,
}

/// The counters of choices by pool, policy and reason.
pub(super) type Choices = Found<(Option<Name>, Policy, &'static str), IntCounter>;

// === impl RoutingCounts ===

impl RoutingCounts {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            choices: make.counters(
                "routing_choices_total",
                "Requests by the policy that chose their replica, and why it was that one.",
                &["pool", "policy", "reason"],
            ),
            blocks: make.counters(
                "routing_prompt_blocks_total",
                "Blocks of prompts that were looked up, by whether the chosen replica was held to have them.",
                &["pool", "held"],
            ),
            cached: make.counters(
                "routing_cached_tokens_total",
                "Prompt tokens cached at the chosen replica, as predicted and as reported; both are known.",
                &["pool", "word"],
            ),
        }
    }

    pub(super) fn observe(&self, record: &MetricRecord, found: &mut Choices) {
        let pool = record.pool.as_deref().unwrap_or("none");
        let routing = &record.routing;
        let Some(policy) = routing.policy else {
            return;
        };
        let reason = reason(policy, routing);
        let choices = || self.choices.with_label_values(&[pool, policy.as_str(), reason]);
        found.get((record.pool.clone(), policy, reason), choices).inc();
        if let (Some(all), Some(held)) = (routing.prefix_blocks, routing.matched_blocks) {
            let left = all.saturating_sub(held);
            for (word, blocks) in [("true", held), ("false", left)] {
                self.blocks
                    .with_label_values(&[pool, word])
                    .inc_by(u64::from(blocks));
            }
        }
        if let (Some(predicted), Some(reported)) = (routing.predicted_cached, record.usage.cached) {
            for (word, tokens) in [("predicted", predicted), ("reported", reported)] {
                self.cached.with_label_values(&[pool, word]).inc_by(tokens.0);
            }
        }
    }
}

/// Why a policy chose the replica.
fn reason(policy: Policy, routing: &Routing) -> &'static str {
    match policy {
        Policy::Prefix if routing.matched_blocks.unwrap_or(0) > 0 => "cached",
        Policy::Prefix | Policy::LeastWork => "least_work",
        Policy::Session => "home",
        Policy::RoundRobin => "turn",
        Policy::RandomTwo => "draw",
    }
}
