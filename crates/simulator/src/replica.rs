//! The engine behind one port: its settings, counters, batch, prefix cache, and the draws it makes for a
//! request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use record::units::count_f64;
use tokio::sync::Semaphore;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::ask::{Ask, Kind, Overrides, Refusal};
use crate::cache::{PrefixCache, PromptTokens};
use crate::fault::{Fault, FaultRate, Plan};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::wire::Received;

/// What all connections of one replica share.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) settings: Settings,
    pub(crate) stats: Stats,
    pub(crate) batch: Semaphore,
    pub(crate) started: u64,
    healthy: AtomicBool,
    cache: Mutex<PrefixCache>,
    faults: RwLock<Vec<Fault>>,
    captured: Mutex<VecDeque<Received>>,
    sequence: AtomicU64,
}

/// Everything that chance and headers decided for one request, before it runs.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) rng: SmallRng,
    pub(crate) plan: Plan,
    pub(crate) choices: Vec<Choice>,
    ttft: Option<Duration>,
    itl: Option<Duration>,
}

/// One choice of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) tokens: u64,
    /// The first so many tokens are reasoning.
    pub(crate) reasoning: u64,
    pub(crate) finish: &'static str,
}

// === impl Replica ===

impl Replica {
    pub(crate) fn new(settings: Settings, started: u64) -> Self {
        Self {
            batch: Semaphore::new(settings.max_num_seqs.clamp(1, Semaphore::MAX_PERMITS)),
            cache: Mutex::new(PrefixCache::new(settings.kv_cache_tokens)),
            settings,
            stats: Stats::default(),
            started,
            healthy: AtomicBool::new(true),
            faults: RwLock::new(Vec::new()),
            captured: Mutex::new(VecDeque::new()),
            sequence: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_faults(&self, faults: Vec<Fault>) {
        if let Ok(mut held) = self.faults.write() {
            *held = faults;
        }
    }

    pub(crate) fn set_healthy(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Relaxed);
    }

    pub(crate) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Keeps the request when capturing is on.
    pub(crate) fn capture(&self, request: &Received) {
        if self.settings.capture == 0 {
            return;
        }
        if let Ok(mut captured) = self.captured.lock() {
            if captured.len() >= self.settings.capture {
                captured.pop_front();
            }
            captured.push_back(request.clone());
        }
    }

    pub(crate) fn captured(&self) -> Vec<Received> {
        self.captured
            .lock()
            .map_or_else(|_| Vec::new(), |captured| captured.iter().cloned().collect())
    }

    /// The model that answers, or a refusal.
    pub(crate) fn model<'a>(&'a self, asked: Option<&str>) -> Result<&'a str, Refusal> {
        let models = &self.settings.models;
        match asked {
            None => models
                .first()
                .map(String::as_str)
                .ok_or_else(|| Refusal::unknown_model("")),
            Some(asked) => models
                .iter()
                .find(|model| *model == asked)
                .map(String::as_str)
                .ok_or_else(|| Refusal::unknown_model(asked)),
        }
    }

    /// Counts the prompt and looks it up in the prefix cache.
    pub(crate) fn admit(&self, model: &str, prompt: &[u8]) -> PromptTokens {
        let tokens = self.cache.lock().map_or_else(
            |_| PromptTokens {
                total: crate::cache::count_tokens(prompt),
                cached: 0,
            },
            |mut cache| cache.visit(xxh3_64(model.as_bytes()), prompt),
        );
        self.stats.prompt_tokens.add(tokens.total);
        self.stats.cached_tokens.add(tokens.cached);
        tokens
    }

    /// Forgets all prefixes.
    pub(crate) fn clear_cache(&self) {
        if let Ok(mut cache) = self.cache.lock() {
            cache.clear();
        }
    }

    /// Decides lengths, delays and faults of one request. The same seed and request id decide the same.
    pub(crate) fn draw(&self, kind: Kind, ask: &Ask<'_>, overrides: &Overrides<'_>) -> Draw {
        let settings = &self.settings;
        let name = match overrides.request_id {
            Some(id) => xxh3_64_with_seed(id.as_bytes(), settings.seed),
            None => settings
                .seed
                .wrapping_add(self.sequence.fetch_add(1, Ordering::Relaxed)),
        };
        let mut rng = SmallRng::seed_from_u64(name);
        let count = if kind == Kind::Embedding { 0 } else { ask.choices() };
        let choices: Vec<Choice> = (0..count)
            .map(|_| {
                let wanted = overrides
                    .tokens
                    .unwrap_or_else(|| rng.random_range(settings.tokens.min..=settings.tokens.max));
                self.choice(
                    kind,
                    wanted,
                    ask.tokens_max().filter(|_| overrides.tokens.is_none()),
                )
            })
            .collect();
        let longest = choices.iter().map(|choice| choice.tokens).max().unwrap_or(1);
        let mut plan = Plan::default();
        for FaultRate { fault, rate } in &settings.faults {
            if rng.random_bool(rate.clamp(0.0, 1.0)) {
                plan.add(*fault, longest, &mut rng);
            }
        }
        if let Ok(held) = self.faults.read() {
            for fault in held.iter() {
                plan.add(*fault, longest, &mut rng);
            }
        }
        for fault in &overrides.faults {
            plan.add(*fault, longest, &mut rng);
        }
        Draw {
            rng,
            plan,
            choices,
            ttft: overrides.ttft,
            itl: overrides.itl,
        }
    }

    /// How long the prompt takes to its first token.
    pub(crate) fn prefill_time(&self, draw: &mut Draw, prompt: PromptTokens) -> Duration {
        if let Some(exact) = draw.ttft {
            return exact;
        }
        let settings = &self.settings;
        let uncached = count_f64(prompt.total.saturating_sub(prompt.cached));
        let mean = settings.ttft.as_secs_f64() + settings.prefill_per_token.as_secs_f64() * uncached;
        self.scaled(mean, &mut draw.rng)
    }

    /// How long the next token takes.
    pub(crate) fn token_time(&self, draw: &mut Draw) -> Duration {
        if let Some(exact) = draw.itl {
            return exact;
        }
        let settings = &self.settings;
        if settings.itl.is_zero() {
            return Duration::ZERO;
        }
        let seats = count_f64(u64::try_from(settings.max_num_seqs).unwrap_or(u64::MAX)).max(1.0);
        let crowd = 1.0 + settings.contention * count_f64(self.stats.running()) / seats;
        self.scaled(settings.itl.as_secs_f64() * crowd, &mut draw.rng)
    }

    fn choice(&self, kind: Kind, wanted: u64, cap: Option<u64>) -> Choice {
        let (tokens, finish) = match cap {
            Some(cap) if wanted >= cap => (cap, "length"),
            _ => (wanted, "stop"),
        };
        let share = if kind == Kind::Chat {
            self.settings.reasoning.clamp(0.0, 1.0)
        } else {
            0.0
        };
        // A span of so many seconds is the one lossless way from a float to an integer without `as`.
        let reasoning = Duration::from_secs_f64(count_f64(tokens) * share)
            .as_secs()
            .min(tokens);
        Choice {
            tokens,
            reasoning,
            finish,
        }
    }

    fn scaled(&self, mean: f64, rng: &mut SmallRng) -> Duration {
        let settings = &self.settings;
        if mean <= 0.0 {
            return Duration::ZERO;
        }
        let sigma = settings.jitter;
        let factor = if sigma > 0.0 {
            LogNormal::new(-sigma * sigma / 2.0, sigma).map_or(1.0, |spread| spread.sample(rng))
        } else {
            1.0
        };
        let speed = if settings.speed > 0.0 { settings.speed } else { 1.0 };
        Duration::try_from_secs_f64(mean * factor / speed).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests;
