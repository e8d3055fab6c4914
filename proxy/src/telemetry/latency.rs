//! Histograms of times, from finished records.

use prometheus::HistogramVec;
use record::MetricRecord;

use super::buckets;
use super::maker::Maker;
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

    pub(super) fn observe(&self, record: &MetricRecord, model: &str) {
        let times = &record.times;
        let labels = [model, record.endpoint.as_str(), stream_label(record)];
        self.e2e
            .with_label_values(&labels)
            .observe(times.e2e.as_secs_f64());
        self.overhead
            .with_label_values(&[model])
            .observe(times.overhead.as_secs_f64());
        for (histogram, span) in [
            (&self.ttft, times.ttft),
            (&self.ttfo, times.ttfo),
            (&self.tpot, times.tpot),
            (&self.queue, times.queue),
            (&self.engine_queue, record.engine.queue),
        ] {
            if let Some(span) = span {
                histogram.with_label_values(&[model]).observe(span.as_secs_f64());
            }
        }
        if let (Some(replica), Some(span)) = (&record.replica, times.upstream_ttft) {
            self.upstream_ttft
                .with_label_values(&[replica])
                .observe(span.as_secs_f64());
        }
        if record.gaps.is_empty() {
            return;
        }
        let itl = self.itl.with_label_values(&[model]);
        for (gap, count) in record.gaps.iter() {
            for _ in 0..count {
                itl.observe(gap.as_secs_f64());
            }
        }
    }
}
