//! What a simulation measures.

use record::units::count_f64;

use crate::fleet::router::Micros;

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    ttfts: Vec<Micros>,
    prompt: u64,
    cached: u64,
    spreads: Vec<f64>,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Requests that were measured.
    pub(crate) requests: usize,
    /// Share of the prompt tokens that came from a cache, in per cent.
    pub(crate) hit_percent: f64,
    /// Time to first token, in milliseconds.
    pub(crate) ttft_mean: f64,
    pub(crate) ttft_p50: f64,
    pub(crate) ttft_p90: f64,
    pub(crate) ttft_p99: f64,
    /// Requests in flight at the busiest replica, over the mean; on average over time.
    pub(crate) spread: f64,
}

// === impl Measured ===

impl Measured {
    pub(crate) fn first_token(&mut self, ttft: Micros, prompt: u64, cached: u64) {
        self.ttfts.push(ttft);
        self.prompt += prompt;
        self.cached += cached;
    }

    pub(crate) fn spread(&mut self, in_flight: &[u64]) {
        let sum: u64 = in_flight.iter().sum();
        let max = in_flight.iter().copied().max().unwrap_or(0);
        let replicas = u64::try_from(in_flight.len()).unwrap_or(0);
        if sum > 0 {
            self.spreads.push(count_f64(max * replicas) / count_f64(sum));
        }
    }

    pub(crate) fn figures(mut self) -> Figures {
        self.ttfts.sort_unstable();
        let len = self.ttfts.len().max(1);
        let ms = |micros: Micros| count_f64(micros) / 1_000.0;
        let percentile = |percent: usize| {
            let at = (len * percent).div_ceil(100).saturating_sub(1);
            self.ttfts.get(at).copied().map_or(0.0, ms)
        };
        let mean = |sum: f64, count: usize| sum / count_f64(u64::try_from(count.max(1)).unwrap_or(1));
        Figures {
            requests: self.ttfts.len(),
            hit_percent: 100.0 * count_f64(self.cached) / count_f64(self.prompt.max(1)),
            ttft_mean: mean(ms(self.ttfts.iter().sum()), len),
            ttft_p50: percentile(50),
            ttft_p90: percentile(90),
            ttft_p99: percentile(99),
            spread: mean(self.spreads.iter().sum(), self.spreads.len()),
        }
    }
}
