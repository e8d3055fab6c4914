//! The Prometheus registry of one proxy: names, labels and buckets in one place.
//!
//! Histograms and most counters are fed by the writer thread from finished records, off the data path; only the counter of
//! token events runs live. Suffixes and buckets follow vLLM's so that its dashboards work with another prefix:
//! <https://github.com/vllm-project/vllm/blob/main/vllm/v1/metrics/loggers.py>.

mod buckets;
mod labels;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use record::units::count_f64;
use record::{FinishReason, Flags, MetricRecord, Tokens, UsageSource};

pub(crate) use labels::ModelLabels;

/// Everything that this process counts.
#[derive(Debug)]
pub(crate) struct Telemetry {
    registry: Registry,
    pub(crate) models: ModelLabels,
    ttft: HistogramVec,
    upstream_ttft: HistogramVec,
    ttfo: HistogramVec,
    itl: HistogramVec,
    tpot: HistogramVec,
    e2e: HistogramVec,
    queue: HistogramVec,
    engine_queue: HistogramVec,
    overhead: HistogramVec,
    prompt_tokens_per_request: HistogramVec,
    generation_tokens_per_request: HistogramVec,
    requests: IntCounterVec,
    success: IntCounterVec,
    responses: IntCounterVec,
    prompt_tokens: IntCounterVec,
    generation_tokens: IntCounterVec,
    cached_tokens: IntCounterVec,
    reasoning_tokens: IntCounterVec,
    usage_source: IntCounterVec,
    parse_errors: IntCounterVec,
    stream_events: IntCounterVec,
    pub(crate) upstream_errors: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) running: IntGaugeVec,
    pub(crate) replica_up: IntGaugeVec,
    pub(crate) finished: IntCounter,
    pub(crate) written: IntCounter,
    pub(crate) dropped: IntCounterVec,
    pub(crate) queue_length: IntGauge,
    pub(crate) write_seconds: Histogram,
    pub(crate) write_errors: IntCounter,
}

/// Registers each metric as it is made.
struct Maker<'a>(&'a Registry);

// === impl Maker ===

impl Maker<'_> {
    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(format!("streamgauge_{name}"), help).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(options, labels).expect("names and labels are constants of this file"))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(format!("streamgauge_{name}"), help).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options).expect("names are constants of this file"))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let options = Opts::new(format!("streamgauge_{name}"), help);
        self.keep(IntCounterVec::new(options, labels).expect("names and labels are constants of this file"))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(
            IntCounter::new(format!("streamgauge_{name}"), help).expect("names are constants of this file"),
        )
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let options = Opts::new(format!("streamgauge_{name}"), help);
        self.keep(IntGaugeVec::new(options, labels).expect("names and labels are constants of this file"))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(
            IntGauge::new(format!("streamgauge_{name}"), help).expect("names are constants of this file"),
        )
    }

    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0
            .register(Box::new(collector.clone()))
            .expect("every name stands once in this file");
        collector
    }
}

// === impl Telemetry ===

impl Telemetry {
    pub(crate) fn new(version: &str, revision: &str) -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        make.gauges(
            "build_info",
            "Version of the running binary; always 1.",
            &["version", "revision"],
        )
        .with_label_values(&[version, revision])
        .set(1);
        let model = &["model_name"][..];
        Self {
            ttft: make.histograms(
                "time_to_first_token_seconds",
                "From the parsed request head to the first token event; streams only.",
                model,
                &buckets::TTFT,
            ),
            upstream_ttft: make.histograms(
                "upstream_time_to_first_token_seconds",
                "From the last request byte sent to the replica to the first token event.",
                &["replica"],
                &buckets::TTFT,
            ),
            ttfo: make.histograms(
                "time_to_first_output_token_seconds",
                "Like time to first token, but reasoning does not count.",
                model,
                &buckets::TTFT,
            ),
            itl: make.histograms(
                "inter_token_latency_seconds",
                "Gaps between reads from the replica that carry at least one token event, each within 1 %.",
                model,
                &buckets::ITL,
            ),
            tpot: make.histograms(
                "request_time_per_output_token_seconds",
                "Mean time per output token after the first, per request; absent where it is undefined.",
                model,
                &buckets::ITL,
            ),
            e2e: make.histograms(
                "e2e_request_latency_seconds",
                "From the parsed request head to the end of the answer.",
                &["model_name", "endpoint", "stream"],
                &buckets::E2E,
            ),
            queue: make.histograms(
                "request_queue_time_seconds",
                "From the complete request body to the choice of a replica.",
                model,
                &buckets::TTFT,
            ),
            engine_queue: make.histograms(
                "engine_queue_time_seconds",
                "Time in the engine's own queue, where the engine says it.",
                model,
                &buckets::TTFT,
            ),
            overhead: make.histograms(
                "overhead_seconds",
                "Time spent in the proxy's own code per request.",
                model,
                &buckets::OVERHEAD,
            ),
            prompt_tokens_per_request: make.histograms(
                "request_prompt_tokens",
                "Prompt tokens per request, exact counts only.",
                model,
                &buckets::TOKENS,
            ),
            generation_tokens_per_request: make.histograms(
                "request_generation_tokens",
                "Generated tokens per request, exact counts only.",
                model,
                &buckets::TOKENS,
            ),
            requests: make.counters(
                "requests_total",
                "Every request, once, by how it ended.",
                &["model_name", "endpoint", "stream", "outcome"],
            ),
            success: make.counters(
                "request_success_total",
                "Successful requests by finish reason.",
                &["model_name", "finished_reason"],
            ),
            responses: make.counters(
                "http_responses_total",
                "Answers by the status that went to the client.",
                &["endpoint", "code"],
            ),
            prompt_tokens: make.counters("prompt_tokens_total", "Prompt tokens, exact counts only.", model),
            generation_tokens: make.counters(
                "generation_tokens_total",
                "Generated tokens, exact counts only.",
                model,
            ),
            cached_tokens: make.counters(
                "prompt_tokens_cached_total",
                "Prompt tokens read from a prefix cache, where reported.",
                model,
            ),
            reasoning_tokens: make.counters(
                "reasoning_tokens_total",
                "Generated tokens that were reasoning, where reported.",
                model,
            ),
            usage_source: make.counters(
                "usage_source_total",
                "Requests by where their token counts come from.",
                &["model_name", "source"],
            ),
            parse_errors: make.counters(
                "parse_errors_total",
                "Answers with an event that could not be read.",
                &["kind"],
            ),
            stream_events: make.counters(
                "stream_events_total",
                "Token events, counted as they pass.",
                model,
            ),
            upstream_errors: make.counters(
                "upstream_errors_total",
                "Failed attempts by replica and kind.",
                &["replica", "kind"],
            ),
            retries: make.counters(
                "retries_total",
                "Attempts after the first, by the replica that failed before and the reason.",
                &["replica", "reason"],
            ),
            running: make.gauges(
                "num_requests_running",
                "Requests that are with a replica.",
                &["replica"],
            ),
            replica_up: make.gauges("replica_up", "Whether the replica takes requests.", &["replica"]),
            finished: make.counter(
                "records_finished_total",
                "Requests that ended: equals written plus queued plus dropped.",
            ),
            written: make.counter(
                "records_written_total",
                "Records that are committed to the ledger.",
            ),
            dropped: make.counters(
                "records_dropped_total",
                "Records that were given up, by reason.",
                &["reason"],
            ),
            queue_length: make.gauge(
                "record_queue_length",
                "Records that ended and are not yet in the ledger.",
            ),
            write_seconds: make.histogram(
                "db_write_seconds",
                "Time of one committed batch.",
                &buckets::WRITE,
            ),
            write_errors: make.counter(
                "db_write_errors_total",
                "Batches that failed and are tried again.",
            ),
            models: ModelLabels::default(),
            registry,
        }
    }

    /// Counts one finished request. Called by the writer thread.
    pub(crate) fn observe(&self, record: &MetricRecord) {
        if record.status.is_some_and(|status| (200..300).contains(&status))
            && let Some(model) = &record.model
        {
            self.models.allow(model);
        }
        let model = self.models.label(record.model_name());
        let model = &[&*model][..];
        let stream = match record.shape.stream {
            Some(true) => "true",
            Some(false) => "false",
            None => "unknown",
        };
        let endpoint = record.endpoint.as_str();
        let named = model.first().copied().unwrap_or_default();
        self.requests
            .with_label_values(&[named, endpoint, stream, record.outcome.as_str()])
            .inc();
        if let Some(status) = record.status {
            self.responses
                .with_label_values(&[endpoint, &status.to_string()])
                .inc();
        }
        if record.outcome == record::Outcome::Success {
            let reason = record.finish_reason.map_or("none", FinishReason::as_str);
            self.success.with_label_values(&[named, reason]).inc();
        }
        self.e2e
            .with_label_values(&[named, endpoint, stream])
            .observe(record.times.e2e.as_secs_f64());
        self.overhead
            .with_label_values(model)
            .observe(record.times.overhead.as_secs_f64());
        for (histogram, span) in [
            (&self.ttft, record.times.ttft),
            (&self.ttfo, record.times.ttfo),
            (&self.tpot, record.times.tpot),
            (&self.queue, record.times.queue),
            (&self.engine_queue, record.engine.queue),
        ] {
            if let Some(span) = span {
                histogram.with_label_values(model).observe(span.as_secs_f64());
            }
        }
        if let (Some(replica), Some(span)) = (&record.replica, record.times.upstream_ttft) {
            self.upstream_ttft
                .with_label_values(&[replica])
                .observe(span.as_secs_f64());
        }
        self.observe_gaps(record, model);
        self.observe_tokens(record, named);
        for (flag, kind) in [
            (Flags::PARSE_ERROR, "json"),
            (Flags::LINE_TOO_LONG, "line_too_long"),
        ] {
            if record.flags.contains(flag) {
                self.parse_errors.with_label_values(&[kind]).inc();
            }
        }
    }

    fn observe_gaps(&self, record: &MetricRecord, model: &[&str]) {
        if record.gaps.is_empty() {
            return;
        }
        let itl = self.itl.with_label_values(model);
        for (gap, count) in record.gaps.iter() {
            for _ in 0..count {
                itl.observe(gap.as_secs_f64());
            }
        }
    }

    fn observe_tokens(&self, record: &MetricRecord, model: &str) {
        self.usage_source
            .with_label_values(&[model, record.usage.source.as_str()])
            .inc();
        if !UsageSource::is_exact(record.usage.source) {
            return;
        }
        for (counter, histogram, tokens) in [
            (
                &self.prompt_tokens,
                Some(&self.prompt_tokens_per_request),
                record.usage.prompt,
            ),
            (
                &self.generation_tokens,
                Some(&self.generation_tokens_per_request),
                record.usage.completion,
            ),
            (&self.cached_tokens, None, record.usage.cached),
            (&self.reasoning_tokens, None, record.usage.reasoning),
        ] {
            let Some(Tokens(tokens)) = tokens else { continue };
            counter.with_label_values(&[model]).inc_by(tokens);
            if let Some(histogram) = histogram {
                histogram.with_label_values(&[model]).observe(count_f64(tokens));
            }
        }
    }

    /// The live counter of token events for a model; resolved once a stream.
    pub(crate) fn stream_events(&self, model: Option<&record::Name>) -> IntCounter {
        self.stream_events
            .with_label_values(&[&*self.models.label(model)])
    }

    /// Everything as it is now.
    pub(crate) fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }
}

#[cfg(test)]
pub(crate) mod tests;
