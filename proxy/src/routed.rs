//! A request's part in balancing: what its prompt is, which choice was made for it, and what became of it.
//!
//! Between the hooks and the pure policies (`balance`): the hooks tell what happens, and this tells the
//! balancer, once each.

use std::sync::Arc;

use observer::RequestFacts;
use record::{Outcome, Routing, Usage};

use crate::balance::{Balancer, ChainHasher, Choice, Dispatched, Load, Prompt, Request, Slot, name_hash};

/// The balancing of one request.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    request: Request,
    running: Option<Running>,
    /// Why the last choice was made.
    routing: Routing,
}

/// An attempt under way.
#[derive(Debug)]
struct Running {
    balancer: Arc<Balancer>,
    choice: Choice,
    slot: Option<Slot>,
    guard: Dispatched,
}

// === impl Routed ===

impl Routed {
    /// What the policies see of the request.
    pub(crate) const fn request(&self) -> &Request {
        &self.request
    }

    /// Reads the prompt in the body: its hashes when `balancer` wants them, else its length. A body without a
    /// prompt counts with its length. `model` is what the replica is asked for: an alias shares the caches of
    /// the model behind it.
    pub(crate) fn read(
        &mut self,
        facts: &RequestFacts,
        body: &[u8],
        model: Option<&str>,
        balancer: &Balancer,
    ) {
        let part = |range: Option<&std::ops::Range<usize>>| {
            range
                .and_then(|range| body.get(range.clone()))
                .unwrap_or_default()
        };
        let prompt = facts.prompt.as_ref();
        self.request.model = name_hash(model.unwrap_or_default().as_bytes());
        self.request.prompt = if prompt.is_some() && balancer.wants_blocks() {
            // The chat template puts tools in front of the messages.
            let before = [part(facts.cache_salt.as_ref()), part(facts.tools.as_ref())];
            ChainHasher::whole(self.request.model, &before, part(prompt))
        } else {
            let len = prompt.map_or(body.len(), std::ops::Range::len);
            Prompt::unread(u64::try_from(len).unwrap_or(u64::MAX))
        };
    }

    /// Whose session it is.
    pub(crate) fn belongs_to(&mut self, session: Option<&[u8]>) {
        self.request.session = session.map(name_hash);
    }

    /// The request goes to the chosen replica.
    pub(crate) fn dispatch(
        &mut self,
        balancer: &Arc<Balancer>,
        choice: Choice,
        slot: Option<Slot>,
        load: &Arc<Load>,
    ) {
        let guard = balancer.dispatch(&self.request, &choice, slot, load);
        self.routing = choice.routing;
        self.running = Some(Running {
            balancer: Arc::clone(balancer),
            choice,
            slot,
            guard,
        });
    }

    /// The replica has computed the prompt.
    #[inline]
    pub(crate) fn first_token(&mut self) {
        if let Some(running) = &mut self.running {
            running.guard.first_token();
        }
    }

    /// The attempt is over, before the replica answered.
    pub(crate) fn attempt_failed(&mut self) {
        if let Some(running) = self.running.take() {
            running
                .balancer
                .failed(&self.request, &running.choice, running.slot);
        }
    }

    /// The request is over. Gives why its replica was chosen.
    pub(crate) fn finish(&mut self, outcome: Outcome, usage: &Usage) -> Routing {
        if let Some(running) = self.running.take()
            && outcome == Outcome::Success
            && usage.source.is_exact()
        {
            running.balancer.finished(
                &self.request,
                &running.choice,
                running.slot,
                usage.prompt,
                usage.cached,
            );
        }
        self.routing
    }
}
