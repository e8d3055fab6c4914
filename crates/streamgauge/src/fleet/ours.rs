//! Our own policies: the very code of the proxy, with its guards and its feedback.

use std::collections::HashMap;
use std::sync::Arc;

use proxy::balance::{
    Balancer, BalancerSettings, Candidate, ChainHasher, Choice, Dispatched, Load, Prompt, Request, Scraped,
    name_hash,
};
use record::{Policy, Tokens};

use crate::fleet::replica::Replica;
use crate::fleet::router::{Asked, Reported, Router};

/// A proxy, as far as routing goes.
#[derive(Debug)]
pub(crate) struct Ours {
    balancer: Balancer,
    replicas: Vec<(Candidate, Arc<Load>)>,
    running: HashMap<usize, Running>,
}

#[derive(Debug)]
struct Running {
    request: Request,
    choice: Choice,
    guard: Dispatched,
}

// === impl Ours ===

impl Ours {
    pub(crate) fn new(policy: Policy, replicas: usize, seed: u64) -> Self {
        let balancer = Balancer::new(BalancerSettings::new(policy, seed));
        let replicas = (0..replicas)
            .map(|nth| {
                let home = name_hash(&nth.to_le_bytes());
                (Candidate::idle(balancer.join(), home), Arc::default())
            })
            .collect();
        Self {
            balancer,
            replicas,
            running: HashMap::new(),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let fresh = |(candidate, load): &(Candidate, Arc<Load>)| Candidate {
            in_flight: load.in_flight(),
            awaiting: load.awaiting(),
            queued_prefill: load.queued_prefill(),
            ..*candidate
        };
        self.replicas.iter().map(fresh).collect()
    }
}

// === impl Router for Ours ===

impl Router for Ours {
    fn name(&self) -> String {
        self.balancer.policy().to_string()
    }

    fn choose(&mut self, asked: &Asked<'_>, _: &[Replica]) -> usize {
        let prompt = if self.balancer.wants_blocks() {
            ChainHasher::whole(0, &[], asked.prompt)
        } else {
            Prompt::unread(u64::try_from(asked.prompt.len()).unwrap_or(u64::MAX))
        };
        let request = Request {
            model: 0,
            session: Some(name_hash(&asked.session.to_le_bytes())),
            prompt,
        };
        let candidates = self.candidates();
        let choice = self.balancer.choose(&request, &candidates);
        let choice = choice.expect("replicas without a limit have room");
        let (candidate, load) = &self.replicas[choice.at];
        let guard = self.balancer.dispatch(&request, &choice, candidate.slot, load);
        let running = Running {
            request,
            choice,
            guard,
        };
        self.running.insert(asked.request, running);
        choice.at
    }

    fn first_token(&mut self, request: usize) {
        if let Some(running) = self.running.get_mut(&request) {
            running.guard.first_token();
        }
    }

    fn finished(&mut self, request: usize, reported: Reported) {
        if let Some(running) = self.running.remove(&request) {
            let slot = self.replicas.get(running.choice.at).and_then(|(one, _)| one.slot);
            self.balancer.finished(
                &running.request,
                &running.choice,
                slot,
                Some(Tokens(reported.prompt)),
                Some(Tokens(reported.cached)),
            );
        }
    }

    fn scraped(&mut self, figures: &[Scraped]) {
        for ((candidate, _), figures) in self.replicas.iter_mut().zip(figures) {
            candidate.scraped = Some(*figures);
        }
    }
}
