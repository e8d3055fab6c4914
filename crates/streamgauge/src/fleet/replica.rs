//! A simulated replica: an engine that batches continuously and computes prompts in chunks, as vLLM does.
//!
//! Time goes in steps. Each step gives every decoding request one token and computes a chunk of the prompts
//! that are due, first come, first served, within the engine's token budget. Only the part of a prompt that
//! is not in the prefix cache is computed.

use std::collections::VecDeque;

use crate::fleet::cache::{BLOCK_TOKENS, Cache};
use crate::fleet::router::Micros;

/// What an engine can do. The defaults are those of a 70B model on four GPUs, roughly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    /// Time of an empty step.
    pub(crate) step: Micros,
    /// Further time for each decoding request.
    pub(crate) decode: Micros,
    /// Further time for each thousand prompt tokens.
    pub(crate) prefill_thousand: Micros,
    /// Most tokens in a step: `--max-num-batched-tokens`.
    pub(crate) budget: u64,
    /// Most requests that run at once: `--max-num-seqs`.
    pub(crate) running_max: usize,
    /// Tokens that the KV cache holds.
    pub(crate) kv_tokens: u64,
}

/// A request as an engine sees it.
#[derive(Debug)]
pub(crate) struct Job {
    /// Which request.
    pub(crate) request: usize,
    /// The hashes of its prompt's blocks of 16 tokens.
    pub(crate) chain: Vec<u64>,
    /// Tokens of its prompt.
    pub(crate) prompt: u64,
    /// Tokens of its answer that are still to come.
    pub(crate) answer: u64,
    to_compute: u64,
}

/// What a step brought about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Happened {
    /// The prompt is computed; so many of its tokens came from the cache.
    FirstToken { request: usize, cached: u64 },
    /// The last token is out.
    Finished { request: usize },
}

/// One replica.
#[derive(Debug)]
pub(crate) struct Replica {
    engine: Engine,
    cache: Cache,
    waiting: VecDeque<Job>,
    running: Vec<Job>,
    kv_used: u64,
    /// Whether a step is under way.
    pub(crate) is_stepping: bool,
    /// Tokens of each running prompt that were cached, by request.
    cached: Vec<(usize, u64)>,
}

// === impl Default for Engine ===

impl Default for Engine {
    fn default() -> Self {
        Self {
            step: 12_000,
            decode: 60,
            prefill_thousand: 125_000,
            budget: 2_048,
            running_max: 256,
            kv_tokens: 400_000,
        }
    }
}

// === impl Job ===

impl Job {
    pub(crate) const fn new(request: usize, chain: Vec<u64>, prompt: u64, answer: u64) -> Self {
        Self {
            request,
            chain,
            prompt,
            answer,
            to_compute: 0,
        }
    }

    /// Tokens of KV cache that it needs at most.
    const fn kv_need(&self) -> u64 {
        self.prompt + self.answer
    }
}

// === impl Replica ===

impl Replica {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            cache: Cache::new(engine.kv_tokens),
            waiting: VecDeque::new(),
            running: Vec::new(),
            kv_used: 0,
            is_stepping: false,
            cached: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// Leading blocks of the chain that its cache holds: what only an oracle knows.
    pub(crate) fn held(&self, chain: &[u64]) -> usize {
        self.cache.held(chain)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Used part of the KV cache, in thousandths.
    pub(crate) fn kv_used_permille(&self) -> u64 {
        (self.kv_used * 1_000 / self.engine.kv_tokens).min(1_000)
    }

    /// Begins a step; how long it takes. `None` when there is nothing to do.
    pub(crate) fn begin(&mut self) -> Option<Micros> {
        self.admit();
        let decoding = self.running.iter().filter(|job| job.to_compute == 0).count();
        let decoding = u64::try_from(decoding).unwrap_or(0);
        let prefill = self.prefill_of_step(decoding);
        self.is_stepping = decoding + prefill > 0;
        let engine = &self.engine;
        self.is_stepping
            .then(|| engine.step + engine.decode * decoding + engine.prefill_thousand * prefill / 1_000)
    }

    /// Ends the step that was begun.
    pub(crate) fn end(&mut self, happened: &mut Vec<Happened>) {
        self.is_stepping = false;
        let decoding = self.running.iter().filter(|job| job.to_compute == 0).count();
        let mut budget = self
            .engine
            .budget
            .saturating_sub(u64::try_from(decoding).unwrap_or(0));
        for job in &mut self.running {
            if job.to_compute > 0 {
                let chunk = job.to_compute.min(budget);
                budget -= chunk;
                job.to_compute -= chunk;
                if job.to_compute > 0 {
                    continue;
                }
                // The chunk that ends the prompt brings the first token.
                self.cache.touch(&job.chain);
                let at = self
                    .cached
                    .iter()
                    .position(|(request, _)| *request == job.request);
                let cached = at.map_or(0, |at| self.cached.swap_remove(at).1);
                happened.push(Happened::FirstToken {
                    request: job.request,
                    cached,
                });
            }
            job.answer = job.answer.saturating_sub(1);
        }
        let (cache, kv_used) = (&mut self.cache, &mut self.kv_used);
        self.running.retain(|job| {
            let is_done = job.to_compute == 0 && job.answer == 0;
            if is_done {
                cache.touch(&job.chain);
                *kv_used = kv_used.saturating_sub(job.prompt);
                happened.push(Happened::Finished { request: job.request });
            }
            !is_done
        });
    }

    /// What a finished request leaves in the cache beyond its prompt: its answer.
    pub(crate) fn keep(&mut self, chain: &[u64]) {
        self.cache.touch(chain);
    }

    fn admit(&mut self) {
        while self.running.len() < self.engine.running_max {
            let fits = self.waiting.front().is_some_and(|job| {
                self.running.is_empty() || self.kv_used + job.kv_need() <= self.engine.kv_tokens
            });
            if !fits {
                return;
            }
            let Some(mut job) = self.waiting.pop_front() else {
                return;
            };
            let held = u64::try_from(self.cache.held(&job.chain)).unwrap_or(0);
            // The last token is always computed: it makes the first of the answer.
            let cached = (held * BLOCK_TOKENS).min(job.prompt.saturating_sub(1));
            job.to_compute = job.prompt - cached;
            self.cached.push((job.request, cached));
            self.kv_used += job.prompt;
            self.running.push(job);
        }
    }

    fn prefill_of_step(&self, decoding: u64) -> u64 {
        let budget = self.engine.budget.saturating_sub(decoding);
        let due: u64 = self.running.iter().map(|job| job.to_compute).sum();
        due.min(budget)
    }
}
