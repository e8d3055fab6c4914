//! The Prometheus registry of one proxy: names, labels and buckets in one place.
//!
//! Histograms and most counters are fed by the writer thread from finished records, off the data path; only
//! the counter of token events runs live. Suffixes and buckets follow vLLM's so that its dashboards work with
//! another prefix: <https://github.com/vllm-project/vllm/blob/main/vllm/v1/metrics/loggers.py>.

mod books;
mod buckets;
mod discovery;
mod fleet;
mod goals;
mod labels;
mod latency;
mod maker;
mod pipeline;
mod reloads;
mod routing;
mod series;
mod tokens;
mod traffic;

use std::sync::{Mutex, PoisonError};

use prometheus::Registry;
use prometheus::proto::MetricFamily;
use record::MetricRecord;

use crate::slo::Verdict;

pub(crate) use books::Dropped;
pub(crate) use discovery::Discoveries;
pub(crate) use labels::ModelLabels;
pub(crate) use pipeline::Pipeline;
pub(crate) use reloads::Reloads;
pub(crate) use traffic::Traffic;

use fleet::FleetGauges;
use goals::GoalCounts;
use latency::Latency;
use maker::Maker;
use routing::RoutingCounts;
use series::Series;
use tokens::TokenCounts;

/// Everything that this process counts.
#[derive(Debug)]
pub(crate) struct Telemetry {
    registry: Registry,
    pub(crate) models: ModelLabels,
    latency: Latency,
    tokens: TokenCounts,
    /// What [`Self::observe`] has found before. Nobody else takes the lock.
    series: Mutex<Series>,
    goals: GoalCounts,
    routing: RoutingCounts,
    pub(crate) traffic: Traffic,
    pub(crate) fleet: FleetGauges,
    pub(crate) pipeline: Pipeline,
    pub(crate) reloads: Reloads,
    pub(crate) discovery: Discoveries,
}

// === impl Telemetry ===

impl Telemetry {
    /// `build` is version, revision and compiler of the running binary.
    pub(crate) fn new(build: [&str; 3]) -> Self {
        Self::made_by(&Maker::default(), build)
    }

    fn made_by(make: &Maker, build: [&str; 3]) -> Self {
        let help = "Version, revision and compiler of the running binary; always 1.";
        make.gauges("build_info", help, &["version", "revision", "rustc"])
            .with_label_values(&build)
            .set(1);
        Self {
            models: ModelLabels::default(),
            latency: Latency::new(make),
            tokens: TokenCounts::new(make),
            series: Mutex::default(),
            goals: GoalCounts::new(make),
            routing: RoutingCounts::new(make),
            traffic: Traffic::new(make),
            fleet: FleetGauges::new(make),
            pipeline: Pipeline::new(make),
            reloads: Reloads::new(make),
            discovery: Discoveries::new(make),
            registry: make.registry.clone(),
        }
    }

    /// Counts one finished request. Called by the writer thread.
    pub(crate) fn observe(&self, record: &MetricRecord, verdict: Verdict) {
        if record.status.is_some_and(|status| (200..300).contains(&status))
            && let Some(model) = &record.model
        {
            self.models.allow(model);
        }
        let model = self.models.label(record.model_name());
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = &mut *series;
        self.latency.observe_replica(record, &mut series.upstream_ttft);
        self.traffic.observe_answer(record, &mut series.answers);
        self.routing.observe(record, &mut series.choices);
        self.goals.observe(verdict);
        let found = series.of_model(model.clone());
        self.traffic.observe(record, &model, &mut found.traffic);
        self.latency.observe(record, &model, &mut found.latency);
        self.tokens.observe(record, &model, &mut found.tokens);
    }

    /// The live counter of token events for a model; resolved once a stream.
    pub(crate) fn stream_events(&self, model: Option<&record::Name>) -> prometheus::IntCounter {
        self.tokens.stream_events(&self.models.label(model))
    }

    /// Everything as it is now.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

#[cfg(test)]
pub(crate) mod tests;
