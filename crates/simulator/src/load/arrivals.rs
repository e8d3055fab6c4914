//! The planned moments of an open loop: Poisson arrivals, steady or lively.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp};

/// The planned moments of an open loop.
#[derive(Debug)]
pub(crate) struct Arrivals {
    rng: SmallRng,
    rate: f64,
    bursts: bool,
    begun: Instant,
    due: Instant,
    burst: (f64, f64),
}

/// Swing of a lively rate around its mean: half of it up and down, once a minute.
const SWING: f64 = 0.5;
const SWING_PERIOD: f64 = 60.0;
/// A burst: this many times the rate, for some seconds, about this often.
const BURST_FACTOR: f64 = 3.0;
const BURST_SECONDS: std::ops::Range<f64> = 2.0..6.0;
const BURST_GAP_SECONDS: std::ops::Range<f64> = 20.0..60.0;

// === impl Arrivals ===

impl Arrivals {
    /// Arrivals of `rate` a second from `now` on.
    pub(crate) fn new(rate: f64, bursts: bool, seed: u64, now: Instant) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let first = rng.random_range(BURST_GAP_SECONDS);
        let burst = (first, first + rng.random_range(BURST_SECONDS));
        Self {
            rng,
            rate: rate.max(0.001),
            bursts,
            begun: now,
            due: now,
            burst,
        }
    }

    /// The next planned moment; may lie in the past when the sender fell behind.
    pub(crate) fn next(&mut self) -> Instant {
        let at = self.due.saturating_duration_since(self.begun).as_secs_f64();
        let rate = self.rate * if self.bursts { self.liveliness(at) } else { 1.0 };
        let gap = Exp::new(rate).map_or(1.0 / rate, |gaps| gaps.sample(&mut self.rng));
        self.due += Duration::try_from_secs_f64(gap).unwrap_or(Duration::from_secs(1));
        self.due
    }

    /// The factor on the mean rate at a second of the run.
    fn liveliness(&mut self, at: f64) -> f64 {
        let (from, to) = self.burst;
        if at >= to {
            let next = at + self.rng.random_range(BURST_GAP_SECONDS);
            self.burst = (next, next + self.rng.random_range(BURST_SECONDS));
        }
        let swing = 1.0 + SWING * (at / SWING_PERIOD * std::f64::consts::TAU).sin();
        if at >= from && at < to {
            swing * BURST_FACTOR
        } else {
            swing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use record::units::count_f64;

    fn count_within(rate: f64, bursts: bool, seconds: u64) -> u64 {
        let begun = clock::now();
        let mut arrivals = Arrivals::new(rate, bursts, 5, begun);
        let mut count = 0;
        while arrivals.next() < begun + Duration::from_secs(seconds) {
            count += 1;
        }
        count
    }

    #[test]
    fn arrivals_keep_their_rate() {
        let per_second = count_f64(count_within(50.0, false, 200)) / 200.0;
        assert!(
            (48.0..52.0).contains(&per_second),
            "{per_second} a second, not 50"
        );
    }

    #[test]
    fn a_lively_rate_swings_and_bursts() {
        let begun = clock::now();
        let mut arrivals = Arrivals::new(1.0, true, 5, begun);
        let factors: Vec<f64> = (0..600_u32)
            .map(|tenth| arrivals.liveliness(f64::from(tenth) / 2.0))
            .collect();
        assert!(factors.iter().any(|factor| *factor < 0.6), "a calm time comes");
        assert!(factors.iter().any(|factor| *factor > 2.0), "a burst comes");
    }
}
