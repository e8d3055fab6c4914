//! An oracle: knows what every cache holds and what every queue has to compute, to the token. The bound for
//! what a router can reach that only watches.

use std::collections::HashMap;

use crate::fleet::cache::BLOCK_TOKENS;
use crate::fleet::replica::Replica;
use crate::fleet::router::{Asked, Reported, Router};

/// The router.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Prompt tokens that each replica still has to compute.
    queued: Vec<u64>,
    in_flight: Vec<u64>,
    running: HashMap<usize, Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    at: usize,
    prefill: u64,
}

/// What a request in flight costs the next one, in tokens.
const IN_FLIGHT_TOKENS: u64 = 32;

// === impl Oracle ===

impl Oracle {
    pub(crate) fn new(replicas: usize) -> Self {
        Self {
            queued: vec![0; replicas],
            in_flight: vec![0; replicas],
            running: HashMap::new(),
        }
    }

    fn settle(&mut self, request: usize) {
        if let Some(part) = self.running.get_mut(&request) {
            self.queued[part.at] -= part.prefill;
            part.prefill = 0;
        }
    }
}

// === impl Router for Oracle ===

impl Router for Oracle {
    fn name(&self) -> String {
        "oracle".to_owned()
    }

    fn choose(&mut self, asked: &Asked<'_>, replicas: &[Replica]) -> usize {
        let blocks = u64::try_from(asked.chain.len()).unwrap_or(0);
        let uncached = |at: usize| {
            let held = replicas.get(at).map_or(0, |replica| replica.held(asked.chain));
            (blocks - u64::try_from(held).unwrap_or(0)) * BLOCK_TOKENS
        };
        let costs = (0..replicas.len()).map(|at| {
            let prefill = uncached(at);
            let cost = self.queued[at] + prefill + self.in_flight[at] * IN_FLIGHT_TOKENS;
            (cost, at, prefill)
        });
        let (_, at, prefill) = costs.min().unwrap_or_default();
        self.queued[at] += prefill;
        self.in_flight[at] += 1;
        self.running.insert(asked.request, Part { at, prefill });
        at
    }

    fn first_token(&mut self, request: usize) {
        self.settle(request);
    }

    fn finished(&mut self, request: usize, _: Reported) {
        self.settle(request);
        if let Some(part) = self.running.remove(&request) {
            self.in_flight[part.at] -= 1;
        }
    }
}
