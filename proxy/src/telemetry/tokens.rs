//! Token counters. Only exact counts enter those that claim to be exact.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use record::units::count_f64;
use record::{MetricRecord, Outcome, Tokens, UsageSource};

use super::buckets;
use super::maker::Maker;
use super::series::Found;

/// How many tokens went in and out.
#[derive(Debug)]
pub(super) struct TokenCounts {
    prompt_per_request: HistogramVec,
    generation_per_request: HistogramVec,
    prompt: IntCounterVec,
    generation: IntCounterVec,
    estimated: IntCounterVec,
    wasted: IntCounterVec,
    cached: IntCounterVec,
    reasoning: IntCounterVec,
    source: IntCounterVec,
    events: IntCounterVec,
}

/// The series of one model, each found when it first has a value.
#[derive(Debug, Default)]
pub(super) struct ModelTokens {
    prompt_per_request: Option<Histogram>,
    generation_per_request: Option<Histogram>,
    prompt: Option<IntCounter>,
    generation: Option<IntCounter>,
    cached: Option<IntCounter>,
    reasoning: Option<IntCounter>,
    source: Found<UsageSource, IntCounter>,
}

// === impl TokenCounts ===

impl TokenCounts {
    pub(super) fn new(make: &Maker) -> Self {
        let model = &["model_name"][..];
        let histogram = |name: &str, help: &str| make.histograms(name, help, model, &buckets::TOKENS);
        let counter = |name: &str, help: &str| make.counters(name, help, model);
        Self {
            prompt_per_request: histogram(
                "request_prompt_tokens",
                "Prompt tokens per request, exact counts only.",
            ),
            generation_per_request: histogram(
                "request_generation_tokens",
                "Generated tokens per request, exact counts only.",
            ),
            prompt: counter("prompt_tokens_total", "Prompt tokens, exact counts only."),
            generation: counter("generation_tokens_total", "Generated tokens, exact counts only."),
            estimated: counter(
                "generation_tokens_estimated_total",
                "Generated tokens by estimate, for streams without usage; in no other figure.",
            ),
            wasted: make.counters(
                "wasted_tokens_total",
                "Tokens generated for answers that nobody got whole, by how the request ended.",
                &["pool", "outcome", "source"],
            ),
            cached: counter(
                "prompt_tokens_cached_total",
                "Prompt tokens read from a prefix cache, where reported.",
            ),
            reasoning: counter(
                "reasoning_tokens_total",
                "Generated tokens that were reasoning, where reported.",
            ),
            source: make.counters(
                "usage_source_total",
                "Requests by where their token counts come from.",
                &["model_name", "source"],
            ),
            events: counter("stream_events_total", "Token events, counted as they pass."),
        }
    }

    pub(super) fn observe(&self, record: &MetricRecord, model: &str, found: &mut ModelTokens) {
        let usage = &record.usage;
        let source = || self.source.with_label_values(&[model, usage.source.as_str()]);
        found.source.get(usage.source, source).inc();
        self.observe_waste(record);
        if let Some(Tokens(tokens)) = usage.completion_estimated {
            self.estimated.with_label_values(&[model]).inc_by(tokens);
        }
        if !usage.source.is_exact() {
            return;
        }
        for (counter, found, tokens) in [
            (&self.prompt, &mut found.prompt, usage.prompt),
            (&self.generation, &mut found.generation, usage.completion),
            (&self.cached, &mut found.cached, usage.cached),
            (&self.reasoning, &mut found.reasoning, usage.reasoning),
        ] {
            let Some(Tokens(tokens)) = tokens else { continue };
            let found = found.get_or_insert_with(|| counter.with_label_values(&[model]));
            found.inc_by(tokens);
        }
        let (prompt, generation) = (&self.prompt_per_request, &self.generation_per_request);
        for (histogram, found, tokens) in [
            (prompt, &mut found.prompt_per_request, usage.prompt),
            (generation, &mut found.generation_per_request, usage.completion),
        ] {
            let Some(Tokens(tokens)) = tokens else { continue };
            let found = found.get_or_insert_with(|| histogram.with_label_values(&[model]));
            found.observe(count_f64(tokens));
        }
    }

    fn observe_waste(&self, record: &MetricRecord) {
        let usage = &record.usage;
        let exact = usage.completion.filter(|_| usage.source.is_exact());
        let (source, wasted) = match (exact, usage.completion_estimated) {
            (Some(tokens), _) => ("exact", tokens),
            (None, Some(tokens)) => ("estimated", tokens),
            (None, None) => return,
        };
        if record.outcome == Outcome::Success || wasted == Tokens(0) {
            return;
        }
        let pool = record.pool.as_deref().unwrap_or("none");
        self.wasted
            .with_label_values(&[pool, record.outcome.as_str(), source])
            .inc_by(wasted.0);
    }

    /// The live counter of token events for a model label.
    pub(super) fn stream_events(&self, model: &str) -> IntCounter {
        self.events.with_label_values(&[model])
    }
}
