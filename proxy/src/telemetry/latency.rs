//! Histograms of times, from finished records.

use foldhash::HashMap;
use prometheus::{Histogram, HistogramVec};
use record::{Endpoint, MetricRecord, Name};

use super::buckets;
use super::maker::Maker;
use super::series::Found;
use super::traffic::stream_label;

/// How long requests and their parts took.
#[derive(Debug)]
pub(super) struct Latency {
    ttft: HistogramVec,
    upstream_ttft: HistogramVec,
    ttfo: HistogramVec,
    itl: HistogramVec,
    tpot: HistogramVec,
    e2e: HistogramVec,
    queue: HistogramVec,
    engine_queue: HistogramVec,
    overhead: HistogramVec,
}

/// The histograms of one model, each found when it first has a value.
#[derive(Debug, Default)]
pub(super) struct ModelLatency {
    ttft: Option<Histogram>,
    ttfo: Option<Histogram>,
    itl: Option<Histogram>,
    tpot: Option<Histogram>,
    e2e: Found<(Endpoint, &'static str), Histogram>,
    queue: Option<Histogram>,
    engine_queue: Option<Histogram>,
    overhead: Option<Histogram>,
}

// === impl Latency ===

impl Latency {
    pub(super) fn new(make: &Maker) -> Self {
        let by_model =
            |name: &str, help: &str, limits: &[f64]| make.histograms(name, help, &["model_name"], limits);
        Self {
            ttft: by_model(
                "time_to_first_token_seconds",
                "From the parsed request head to the first token event; streams only.",
                &buckets::TTFT,
            ),
            upstream_ttft: make.histograms(
                "upstream_time_to_first_token_seconds",
                "From the last request byte sent to the replica to the first token event.",
                &["replica"],
                &buckets::TTFT,
            ),
            ttfo: by_model(
                "time_to_first_output_token_seconds",
                "Like time to first token, but reasoning does not count.",
                &buckets::TTFT,
            ),
            itl: by_model(
                "inter_token_latency_seconds",
                "Gaps between reads from the replica that carry at least one token event, each within 1 %.",
                &buckets::ITL,
            ),
            tpot: by_model(
                "request_time_per_output_token_seconds",
                "Mean time per output token after the first, per request; absent where it is undefined.",
                &buckets::ITL,
            ),
            e2e: make.histograms(
                "e2e_request_latency_seconds",
                "From the parsed request head to the end of the answer.",
                &["model_name", "endpoint", "stream"],
                &buckets::E2E,
            ),
            queue: by_model(
                "request_queue_time_seconds",
                "From the complete request body to the choice of a replica.",
                &buckets::TTFT,
            ),
            engine_queue: by_model(
                "engine_queue_time_seconds",
                "Time in the engine's own queue, where the engine says it.",
                &buckets::TTFT,
            ),
            overhead: by_model(
                "overhead_seconds",
                "Time spent in the proxy's own code per request.",
                &buckets::OVERHEAD,
            ),
        }
    }

    pub(super) fn observe(&self, record: &MetricRecord, model: &str, found: &mut ModelLatency) {
        let times = &record.times;
        let (endpoint, stream) = (record.endpoint, stream_label(record));
        let labels = [model, endpoint.as_str(), stream];
        let e2e = || self.e2e.with_label_values(&labels);
        let e2e = found.e2e.get((endpoint, stream), e2e);
        e2e.observe(times.e2e.as_secs_f64());
        for (histogram, found, span) in [
            (&self.overhead, &mut found.overhead, Some(times.overhead)),
            (&self.ttft, &mut found.ttft, times.ttft),
            (&self.ttfo, &mut found.ttfo, times.ttfo),
            (&self.tpot, &mut found.tpot, times.tpot),
            (&self.queue, &mut found.queue, times.queue),
            (&self.engine_queue, &mut found.engine_queue, record.engine.queue),
        ] {
            if let Some(span) = span {
                let found = found.get_or_insert_with(|| histogram.with_label_values(&[model]));
                found.observe(span.as_secs_f64());
            }
        }
        if record.gaps.is_empty() {
            return;
        }
        let itl = || self.itl.with_label_values(&[model]);
        let itl = found.itl.get_or_insert_with(itl);
        for (gap, count) in record.gaps.iter() {
            for _ in 0..count {
                itl.observe(gap.as_secs_f64());
            }
        }
    }

    pub(super) fn observe_replica(&self, record: &MetricRecord, found: &mut HashMap<Name, Histogram>) {
        if let (Some(replica), Some(span)) = (&record.replica, record.times.upstream_ttft) {
            let histogram = || self.upstream_ttft.with_label_values(&[replica]);
            let histogram = found.entry(replica.clone()).or_insert_with(histogram);
            histogram.observe(span.as_secs_f64());
        }
    }
}
