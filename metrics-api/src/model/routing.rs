//! Where a request went, and why: part of [`RequestRecord`](super::RequestRecord).

use record::{Attempt, MetricRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::requests::tokens;
use super::{AttemptEndWord, PolicyWord, span_ms};

/// How the replica was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoutingRecord {
    /// How often a replica was tried.
    pub(crate) attempts: u16,
    /// Every attempt in order, when one of them failed; empty when the first one answered or there was none.
    pub(crate) attempt_log: Vec<AttemptRecord>,
    /// The policy that chose the replica; null when none was chosen.
    #[schema(required)]
    pub(crate) policy: Option<PolicyWord>,
    /// Blocks of the prompt that were looked up for its prefix; null when the policy looks nothing up.
    #[schema(required)]
    pub(crate) prefix_blocks: Option<u32>,
    /// Leading blocks that the chosen replica was believed to hold; null as before.
    #[schema(required)]
    pub(crate) matched_blocks: Option<u32>,
    /// Prompt tokens that were predicted to come from the replica's cache; `cached_tokens` is the truth.
    #[schema(required)]
    pub(crate) predicted_cached_tokens: Option<u64>,
}

/// One attempt on a replica.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptRecord {
    /// The replica that was tried.
    pub(crate) replica: String,
    /// How it ended.
    pub(crate) end: AttemptEndWord,
    /// From the choice of the replica to the end of the attempt.
    pub(crate) span_ms: f64,
}

// === impl RoutingRecord ===

impl From<&MetricRecord> for RoutingRecord {
    fn from(record: &MetricRecord) -> Self {
        Self {
            attempts: record.attempts.0,
            attempt_log: record.attempt_log.iter().map(AttemptRecord::from).collect(),
            policy: record.routing.policy.map(PolicyWord),
            prefix_blocks: record.routing.prefix_blocks,
            matched_blocks: record.routing.matched_blocks,
            predicted_cached_tokens: tokens(record.routing.predicted_cached),
        }
    }
}

// === impl AttemptRecord ===

impl From<&Attempt> for AttemptRecord {
    fn from(attempt: &Attempt) -> Self {
        Self {
            replica: attempt.replica.to_string(),
            end: AttemptEndWord(attempt.end),
            span_ms: span_ms(attempt.span),
        }
    }
}
