//! What a replica says about its own load: a few lines of its `/metrics`, nothing else of it.
//!
//! The names are vLLM's (with its old one for the cache), SGLang's and TGI's. A server with several engines
//! has a line for each: requests add up, and the fullest cache counts. llama.cpp's names are left out, so
//! that its server is asked twice a minute at most: it looks for a client that left only after a second in
//! which nobody asked it anything, and would go on generating for nobody.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A report older than this says nothing about now.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// Stands for "not said" in the atomics.
const UNSAID: u32 = u32::MAX;

/// Counts above a million are no counts of requests.
const COUNT_MAX: u32 = 1_000_000;

/// One report. `None`: the replica does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Requests in the engine.
    pub(crate) running: Option<u32>,
    /// Requests in the engine's own queue.
    pub(crate) waiting: Option<u32>,
    /// Thousandths of the key-value cache that are in use.
    pub(crate) cache_permille: Option<u32>,
}

/// The last report, readable without a lock.
#[derive(Debug)]
pub(crate) struct LastLoad {
    running: AtomicU32,
    waiting: AtomicU32,
    cache_permille: AtomicU32,
    /// Milliseconds after `origin`, plus one; 0 before the first report.
    at_ms: AtomicU64,
    origin: Instant,
}

/// Which figure a line gives.
#[derive(Clone, Copy)]
enum Figure {
    Running,
    Waiting,
    Cache,
}

const NAMES: [(&str, Figure); 9] = [
    ("vllm:num_requests_running", Figure::Running),
    ("vllm:num_requests_waiting", Figure::Waiting),
    ("vllm:kv_cache_usage_perc", Figure::Cache),
    ("vllm:gpu_cache_usage_perc", Figure::Cache),
    ("sglang:num_running_reqs", Figure::Running),
    ("sglang:num_queue_reqs", Figure::Waiting),
    ("sglang:token_usage", Figure::Cache),
    ("tgi_batch_current_size", Figure::Running),
    ("tgi_queue_size", Figure::Waiting),
];

// === impl Load ===

impl Load {
    /// Reads an exposition in Prometheus' text format; lines of other metrics and broken ones are passed
    /// over. <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut load = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let Some((figure, value)) = read_line(line) else {
                continue;
            };
            match figure {
                Figure::Running => add(&mut load.running, value),
                Figure::Waiting => add(&mut load.waiting, value),
                Figure::Cache => {
                    let permille = u32::try_from(value).unwrap_or(1_000).min(1_000);
                    load.cache_permille = load.cache_permille.max(Some(permille));
                }
            }
        }
        load
    }

    const fn says_something(&self) -> bool {
        self.running.is_some() || self.waiting.is_some() || self.cache_permille.is_some()
    }
}

// === impl LastLoad ===

impl LastLoad {
    pub(crate) const fn new(origin: Instant) -> Self {
        Self {
            running: AtomicU32::new(UNSAID),
            waiting: AtomicU32::new(UNSAID),
            cache_permille: AtomicU32::new(UNSAID),
            at_ms: AtomicU64::new(0),
            origin,
        }
    }

    /// Keeps a report. One that says nothing is no report.
    pub(crate) fn store(&self, load: &Load, now: Instant) {
        if !load.says_something() {
            return;
        }
        self.running.store(load.running.unwrap_or(UNSAID), Relaxed);
        self.waiting.store(load.waiting.unwrap_or(UNSAID), Relaxed);
        self.cache_permille
            .store(load.cache_permille.unwrap_or(UNSAID), Relaxed);
        self.at_ms.store(self.millis(now).saturating_add(1), Relaxed);
    }

    /// The last report, if it is fresh enough to act on.
    pub(crate) fn fresh(&self, now: Instant) -> Option<Load> {
        let at = self.at_ms.load(Relaxed).checked_sub(1)?;
        let age = Duration::from_millis(self.millis(now).saturating_sub(at));
        let said = |figure: &AtomicU32| Some(figure.load(Relaxed)).filter(|figure| *figure != UNSAID);
        (age <= FRESH_FOR).then(|| Load {
            running: said(&self.running),
            waiting: said(&self.waiting),
            cache_permille: said(&self.cache_permille),
        })
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The figure of one line and its value in thousandths, when it is one of ours.
fn read_line(line: &[u8]) -> Option<(Figure, u64)> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (_, figure) = NAMES.iter().find(|(known, _)| *known == name)?;
    // Label values may hold any character; the value stands after the last brace.
    let rest = match rest.strip_prefix('{') {
        Some(labels) => labels.rsplit_once('}')?.1,
        None => rest,
    };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    // The conversion of a span is the standard library's only checked one from a decimal number: it refuses
    // what is negative, infinite or no number.
    let value = Duration::try_from_secs_f64(value).ok()?;
    Some((*figure, u64::try_from(value.as_millis()).unwrap_or(u64::MAX)))
}

fn add(sum: &mut Option<u32>, value: u64) {
    let count = u32::try_from(value / 1_000).unwrap_or(COUNT_MAX);
    *sum = Some(sum.unwrap_or(0).saturating_add(count).min(COUNT_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn vllm_sglang_and_the_others_are_read() {
        let vllm = b"# HELP vllm:num_requests_running Number of requests\n\
            # TYPE vllm:num_requests_running gauge\n\
            vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
            vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0\n\
            vllm:num_requests_waiting{engine=\"0\",model_name=\"a } b\"} 7.0\n\
            vllm:num_requests_waiting_by_reason{engine=\"0\"} 9.0\n\
            vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n\
            vllm:kv_cache_usage_perc{engine=\"1\"} 0.5\n";
        let load = Load {
            running: Some(5),
            waiting: Some(7),
            cache_permille: Some(500),
        };
        assert_eq!(Load::read(vllm), load);
        let sglang = b"sglang:num_running_reqs{model_name=\"m\"} 4\r\nsglang:num_queue_reqs 1\n\
            sglang:token_usage 1.7\n";
        assert_eq!(
            Load::read(sglang),
            Load {
                running: Some(4),
                waiting: Some(1),
                cache_permille: Some(1_000)
            }
        );
        let llama = Load::read(b"llamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n");
        assert_eq!(llama, Load::default(), "llama.cpp's server is left in peace");
    }

    #[test]
    fn what_is_no_figure_is_passed_over() {
        let broken =
            b"vllm:num_requests_running\nvllm:num_requests_running NaN\nvllm:num_requests_running -1\n\
            vllm:num_requests_waiting{engine=\"0\" 4\nvllm:kv_cache_usage_perc +Inf\n\xff\xfe\n<html>";
        assert_eq!(Load::read(broken), Load::default());
        assert_eq!(Load::read(b"vllm:num_requests_running 1e300\n"), Load::default());
        assert_eq!(
            Load::read(b"vllm:num_requests_running 1e12\n").running,
            Some(COUNT_MAX),
            "absurd counts are bounded"
        );
    }

    #[test]
    fn a_report_ages_and_an_empty_one_changes_nothing() {
        let start = clock::now();
        let last = LastLoad::new(start);
        assert_eq!(last.fresh(start), None);
        let load = Load {
            running: Some(0),
            waiting: None,
            cache_permille: Some(10),
        };
        last.store(&load, start);
        last.store(&Load::default(), start + FRESH_FOR);
        assert_eq!(
            last.fresh(start + FRESH_FOR),
            Some(load),
            "0 is a figure, unsaid is none"
        );
        assert_eq!(last.fresh(start + FRESH_FOR * 2), None);
    }
}
