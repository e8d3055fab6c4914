//! Counters of one replica: what tests wait for and what its `/metrics` shows.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::clock;

/// How many of the latest aborts are kept. Why this number: more than any test makes, and half a megabyte.
pub const ABORTS_KEPT: usize = 4_096;

/// Counters of one replica. All are exact the moment they are read; gauges go back down.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) connections: Counter,
    pub(crate) open_connections: Gauge,
    pub(crate) requests: Counter,
    pub(crate) running: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) aborted: Counter,
    pub(crate) finished: Finished,
    pub(crate) prompt_tokens: Counter,
    pub(crate) cached_tokens: Counter,
    pub(crate) tokens_generated: Counter,
    pub(crate) kv_tokens: Gauge,
    pub(crate) ttft: Histogram,
    pub(crate) e2e: Histogram,
    /// The latest clients that left early, by `x-request-id`, and when that was noticed.
    aborts: Mutex<VecDeque<(String, Instant)>>,
}

/// Answers by the way they ended, as vLLM's `request_success_total` counts them.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    pub(crate) stop: Counter,
    pub(crate) length: Counter,
    pub(crate) error: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

/// Counts one while it lives.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    gauge: &'a Gauge,
    amount: u64,
}

/// Seconds in vLLM's buckets, enough for a scraper to see a real histogram.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BUCKETS.len()],
    count: Counter,
    sum_us: Counter,
}

/// Upper bounds in seconds, a subset of vLLM's.
pub(crate) const BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// Something did not happen in time.
#[derive(Debug, Error)]
#[error("waited {waited:?} for {what}, in vain")]
pub struct WaitError {
    what: String,
    waited: Duration,
}

// === impl Stats ===

impl Stats {
    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.get()
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.open_connections.get()
    }

    /// Requests read whole, on any path, since the start.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Requests that are being worked on now.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.running.get()
    }

    /// Requests that wait for a place in the batch now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.get()
    }

    /// Requests whose client left before the end of the answer.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        self.aborted.get()
    }

    /// Answers sent whole, with a finish reason.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.finished.stop.get() + self.finished.length.get()
    }

    /// Prompt tokens of all requests that began, those from the prefix cache included.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens.get()
    }

    /// Prompt tokens found in the prefix cache.
    #[must_use]
    pub fn cached_tokens(&self) -> u64 {
        self.cached_tokens.get()
    }

    /// Tokens generated, for clients that left as well.
    #[must_use]
    pub fn tokens_generated(&self) -> u64 {
        self.tokens_generated.get()
    }

    /// When the latest client left early; `None` if none did.
    #[must_use]
    pub fn last_abort(&self) -> Option<Instant> {
        let aborts = self.aborts.lock().ok()?;
        aborts.back().map(|(_, moment)| *moment)
    }

    /// The latest clients that left early, by the `x-request-id` of their requests, and when that was
    /// noticed; [`ABORTS_KEPT`] at most.
    #[must_use]
    pub fn aborts(&self) -> Vec<(String, Instant)> {
        self.aborts
            .lock()
            .map_or_else(|_| Vec::new(), |aborts| aborts.iter().cloned().collect())
    }

    pub(crate) fn note_abort(&self, request_id: &str) {
        if let Ok(mut aborts) = self.aborts.lock() {
            if aborts.len() == ABORTS_KEPT {
                aborts.pop_front();
            }
            aborts.push_back((request_id.to_owned(), clock::now()));
        }
        self.aborted.add(1);
    }
}

// === impl Counter ===

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Gauge ===

impl Gauge {
    /// Raises the gauge by `amount` until the returned guard is dropped.
    pub(crate) fn hold(&self, amount: u64) -> Held<'_> {
        self.0.fetch_add(amount, Ordering::Relaxed);
        Held { gauge: self, amount }
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Held ===

impl Held<'_> {
    /// Holds `amount` more.
    pub(crate) fn grow(&mut self, amount: u64) {
        self.gauge.0.fetch_add(amount, Ordering::Relaxed);
        self.amount += amount;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

// === impl Histogram ===

impl Histogram {
    pub(crate) fn observe(&self, span: Duration) {
        let seconds = span.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket].add(1);
        }
        self.count.add(1);
        self.sum_us
            .add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
    }

    /// Cumulative counts by upper bound.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        BUCKETS
            .iter()
            .zip(&self.buckets)
            .scan(0, |below, (bound, bucket)| {
                *below += bucket.get();
                Some((*bound, *below))
            })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.get())
    }
}

/// Waits until `condition` holds, looking every millisecond.
///
/// # Errors
/// After `deadline`, an error that says what was waited for.
pub async fn wait_until(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result<(), WaitError> {
    let looking = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(deadline, looking)
        .await
        .map_err(|_| WaitError {
            what: what.to_owned(),
            waited: deadline,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_falls_back_when_its_guards_are_gone() {
        let stats = Stats::default();
        let mut held = stats.kv_tokens.hold(10);
        held.grow(5);
        assert_eq!(stats.kv_tokens.get(), 15);
        drop(held);
        assert_eq!(stats.kv_tokens.get(), 0);
    }

    #[test]
    fn a_histogram_counts_into_the_bucket_whose_bound_is_not_below() {
        let histogram = Histogram::default();
        for ms in [5, 6, 90_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts[0], 1, "5 ms lies on the first bound");
        assert_eq!(counts[1], 2);
        assert_eq!(counts[BUCKETS.len() - 1], 2, "90 s lies above every bound");
        assert_eq!(histogram.count(), 3);
        assert_eq!(histogram.sum(), Duration::from_millis(90_011));
    }

    #[tokio::test]
    async fn a_wait_in_vain_says_what_for() {
        let error = wait_until("a miracle", Duration::from_millis(5), || false)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 5ms for a miracle, in vain");
        wait_until("the obvious", Duration::from_secs(5), || true)
            .await
            .unwrap();
    }
}
