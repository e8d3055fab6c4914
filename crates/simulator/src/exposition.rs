//! The replica's own `/metrics`, under vLLM's names, so that a scraper and a balancer read it like the real
//! one.

use std::fmt::Write;

use record::units::count_f64;

use crate::replica::Replica;
use crate::stats::Histogram;

/// Renders all metrics in Prometheus' text format.
pub(crate) fn render(replica: &Replica) -> String {
    let stats = &replica.stats;
    let model = replica.settings.models.first().map_or("", String::as_str);
    let labels = format!("engine=\"0\",model_name=\"{}\"", escaped(model));
    let kv_usage = count_f64(stats.kv_tokens.get()) / count_f64(replica.settings.kv_cache_tokens.max(1));
    let mut text = Page {
        text: String::with_capacity(4096),
        labels,
    };
    text.gauge(
        "num_requests_running",
        "Requests in model execution batches.",
        count_f64(stats.running()),
    );
    text.gauge(
        "num_requests_waiting",
        "Requests waiting to be processed.",
        count_f64(stats.waiting()),
    );
    text.gauge(
        "kv_cache_usage_perc",
        "KV-cache usage. 1 means 100 percent usage.",
        kv_usage.min(1.0),
    );
    text.counter(
        "prompt_tokens",
        "Prefill tokens processed.",
        stats.prompt_tokens(),
    );
    text.counter(
        "generation_tokens",
        "Generation tokens processed.",
        stats.tokens_generated(),
    );
    text.counter(
        "prefix_cache_queries",
        "Prefix cache queries, in queried tokens.",
        stats.prompt_tokens(),
    );
    text.counter(
        "prefix_cache_hits",
        "Prefix cache hits, in cached tokens.",
        stats.cached_tokens(),
    );
    text.finished(&[
        ("stop", stats.finished.stop.get()),
        ("length", stats.finished.length.get()),
        ("abort", stats.aborted()),
        ("error", stats.finished.error.get()),
    ]);
    text.histogram(
        "time_to_first_token_seconds",
        "Time to first token in seconds.",
        &stats.ttft,
    );
    text.histogram(
        "e2e_request_latency_seconds",
        "End to end request latency in seconds.",
        &stats.e2e,
    );
    text.text
}

struct Page {
    text: String,
    labels: String,
}

// === impl Page ===

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.text, "vllm:{name}{{{}}} {value:?}", self.labels);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(&format!("{name}_total"), help, "counter");
        let _ = writeln!(self.text, "vllm:{name}_total{{{}}} {value}.0", self.labels);
    }

    fn finished(&mut self, reasons: &[(&str, u64)]) {
        self.head(
            "request_success_total",
            "Count of successfully processed requests.",
            "counter",
        );
        for (reason, value) in reasons {
            let _ = writeln!(
                self.text,
                "vllm:request_success_total{{{},finished_reason=\"{reason}\"}} {value}.0",
                self.labels
            );
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        let labels = &self.labels;
        for (bound, count) in histogram.cumulative() {
            let _ = writeln!(
                self.text,
                "vllm:{name}_bucket{{{labels},le=\"{bound:?}\"}} {count}.0"
            );
        }
        let count = histogram.count();
        let _ = writeln!(self.text, "vllm:{name}_bucket{{{labels},le=\"+Inf\"}} {count}.0");
        let _ = writeln!(self.text, "vllm:{name}_count{{{labels}}} {count}.0");
        let _ = writeln!(
            self.text,
            "vllm:{name}_sum{{{labels}}} {:?}",
            histogram.sum().as_secs_f64()
        );
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}");
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use std::time::Duration;

    #[test]
    fn the_names_are_those_of_vllm_and_a_histogram_adds_up() {
        let replica = Replica::new(
            Settings {
                models: vec!["a\"b".to_owned()],
                ..Settings::default()
            },
            0,
        );
        let _running = replica.stats.running.hold(3);
        replica.stats.ttft.observe(Duration::from_millis(30));
        replica.stats.finished.length.add(2);
        let text = render(&replica);
        for line in [
            "vllm:num_requests_running{engine=\"0\",model_name=\"a\\\"b\"} 3.0",
            "vllm:num_requests_waiting{engine=\"0\",model_name=\"a\\\"b\"} 0.0",
            "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a\\\"b\"} 0.0",
            "vllm:request_success_total{engine=\"0\",model_name=\"a\\\"b\",finished_reason=\"length\"} 2.0",
            "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"a\\\"b\",le=\"0.02\"} 0.0",
            "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"a\\\"b\",le=\"0.04\"} 1.0",
            "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"a\\\"b\",le=\"+Inf\"} 1.0",
            "vllm:time_to_first_token_seconds_sum{engine=\"0\",model_name=\"a\\\"b\"} 0.03",
        ] {
            assert!(text.lines().any(|found| found == line), "missing: {line}\n{text}");
        }
    }
}
