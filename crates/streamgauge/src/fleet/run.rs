//! One simulation: events in the order of time, until the last request of the span is answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proxy::balance::Scraped;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fleet::cache::BLOCK_TOKENS;
use crate::fleet::measured::Measured;
use crate::fleet::replica::{Engine, Happened, Job, Replica};
use crate::fleet::router::{Asked, Reported, Router};
use crate::fleet::router::{Micros, SECOND};
use crate::fleet::workload::{Session, Traffic, Turn, Workload};

/// A simulation's size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) replicas: usize,
    pub(crate) engine: Engine,
    pub(crate) traffic: Traffic,
    /// How long new sessions arrive.
    pub(crate) span: Micros,
}

/// Part of the span, from its beginning, that is not measured: caches are empty then. One in this many.
const WARM_UP: u64 = 5;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// A new session begins.
    Arrival,
    /// A session sends its next turn.
    Turn { session: usize },
    /// A replica's step ends.
    Step { replica: usize },
    /// The router looks at the replicas' figures.
    Scrape,
    /// The spread of load is measured.
    Sample,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Request {
    session: usize,
    turn: Turn,
    replica: usize,
    sent_at: Micros,
    reported: Reported,
}

/// The state of a simulation.
struct Run<'a> {
    plan: &'a Plan,
    router: &'a mut dyn Router,
    replicas: Vec<Replica>,
    in_flight: Vec<u64>,
    workload: Workload,
    /// The session that comes next.
    coming: Option<Session>,
    sessions: Vec<Option<Session>>,
    requests: Vec<Request>,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    events_made: u64,
    open: u64,
    measured: Measured,
}

/// Runs the plan with one router.
pub(crate) fn run(plan: &Plan, router: &mut dyn Router) -> Measured {
    let mut run = Run {
        plan,
        router,
        replicas: (0..plan.replicas).map(|_| Replica::new(plan.engine)).collect(),
        in_flight: vec![0; plan.replicas],
        workload: Workload::new(&plan.traffic),
        coming: None,
        sessions: Vec::new(),
        requests: Vec::new(),
        events: BinaryHeap::new(),
        events_made: 0,
        open: 0,
        measured: Measured::default(),
    };
    run.at(0, Event::Scrape);
    run.at(plan.span / WARM_UP, Event::Sample);
    run.await_session(0);
    while let Some(Reverse((now, _, event))) = run.events.pop() {
        run.handle(now, event);
    }
    run.measured
}

// === impl Run ===

impl Run<'_> {
    fn at(&mut self, time: Micros, event: Event) {
        self.events_made += 1;
        self.events.push(Reverse((time, self.events_made, event)));
    }

    fn is_over(&self, now: Micros) -> bool {
        now >= self.plan.span && self.open == 0
    }

    fn handle(&mut self, now: Micros, event: Event) {
        match event {
            Event::Arrival => {
                if let Some(session) = self.coming.take() {
                    self.sessions.push(Some(session));
                    self.open += 1;
                    self.send(now, self.sessions.len() - 1);
                }
                self.await_session(now);
            }
            Event::Turn { session } => self.send(now, session),
            Event::Step { replica } => self.stepped(now, replica),
            Event::Scrape if !self.is_over(now) => {
                let figures: Vec<_> = self.replicas.iter().map(figures).collect();
                self.router.scraped(&figures);
                self.at(now + self.router.scrape_interval(), Event::Scrape);
            }
            Event::Sample if now < self.plan.span => {
                self.measured.spread(&self.in_flight);
                self.at(now + SECOND, Event::Sample);
            }
            Event::Scrape | Event::Sample => {}
        }
    }

    fn await_session(&mut self, now: Micros) {
        let (after, session) = self.workload.next_session();
        if now + after < self.plan.span {
            self.coming = Some(session);
            self.at(now + after, Event::Arrival);
        }
    }

    fn send(&mut self, now: Micros, at: usize) {
        let Some(session) = self.sessions.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let turn = session.turn();
        let prompt = session.text.get(..turn.prompt_len).unwrap_or_default();
        let chain = engine_chain(session, prompt);
        let request = self.requests.len();
        let asked = Asked {
            request,
            session: session.name,
            prompt,
            chain: &chain,
        };
        let replica = self.router.choose(&asked, &self.replicas);
        let tokens = session.tokens(prompt.len());
        self.requests.push(Request {
            session: at,
            turn,
            replica,
            sent_at: now,
            reported: Reported {
                prompt: tokens,
                cached: 0,
            },
        });
        self.in_flight[replica] += 1;
        self.replicas[replica].push(Job::new(request, chain, tokens, turn.answer));
        if !self.replicas[replica].is_stepping {
            self.step(now, replica);
        }
    }

    fn step(&mut self, now: Micros, replica: usize) {
        if let Some(takes) = self.replicas[replica].begin() {
            self.at(now + takes, Event::Step { replica });
        }
    }

    fn stepped(&mut self, now: Micros, replica: usize) {
        let mut happened = Vec::new();
        self.replicas[replica].end(&mut happened);
        for happened in happened {
            match happened {
                Happened::FirstToken { request, cached } => self.first_token(now, request, cached),
                Happened::Finished { request } => self.finished(now, request),
            }
        }
        self.step(now, replica);
    }

    fn first_token(&mut self, now: Micros, request: usize, cached: u64) {
        self.router.first_token(request);
        let Some(known) = self.requests.get_mut(request) else {
            return;
        };
        known.reported.cached = cached;
        if known.sent_at >= self.plan.span / WARM_UP {
            self.measured
                .first_token(now - known.sent_at, known.reported.prompt, cached);
        }
    }

    fn finished(&mut self, now: Micros, request: usize) {
        let Some(known) = self.requests.get(request).copied() else {
            return;
        };
        self.router.finished(request, known.reported);
        self.in_flight[known.replica] -= 1;
        let Some(session) = self.sessions[known.session].as_mut() else {
            return;
        };
        let goes_on = session.answered(known.turn);
        // The answer's tokens are in the cache as well: the next turn's prompt holds them.
        let answered = known.turn.prompt_len + session.bytes(known.turn.answer);
        let chain = engine_chain(session, session.text.get(..answered).unwrap_or_default());
        self.replicas[known.replica].keep(&chain);
        match goes_on {
            Some(think) => self.at(
                now + think,
                Event::Turn {
                    session: known.session,
                },
            ),
            None => {
                self.sessions[known.session] = None;
                self.open -= 1;
            }
        }
    }
}

fn figures(replica: &Replica) -> Scraped {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Scraped {
        running: count(replica.running()),
        waiting: count(replica.waiting()),
        kv_used_permille: u16::try_from(replica.kv_used_permille()).ok(),
    }
}

/// The engine's own hashes: of blocks of 16 tokens.
fn engine_chain(session: &Session, text: &[u8]) -> Vec<u64> {
    text.chunks_exact(session.bytes(BLOCK_TOKENS).max(1))
        .scan(0, |chain, block| {
            *chain = xxh3_64_with_seed(block, *chain);
            Some(*chain)
        })
        .collect()
}
