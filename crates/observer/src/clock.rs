//! When tokens arrived: the times of one answer, from instants that the caller passes in.
//!
//! One read from the replica is one arrival with one instant; all events in it share it. Pings, role chunks
//! and empty deltas move none of these times. Definitions: `docs/metrics.md`.

use std::time::{Duration, Instant};

use record::{Sketch, Times};

/// A gap longer than this is a stall: a reader sees the text stop.
pub const STALL: Duration = Duration::from_secs(1);

/// Room for the different gap lengths of a usual stream, so that counting a gap allocates nothing. Why this
/// number: gaps that vary by a factor of 2.5 fill 46 buckets of 2 %; 48 buckets are 384 bytes a stream.
const GAP_BUCKETS: usize = 48;

/// What one event carried.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Carried {
    /// No token: a role, a ping, a usage chunk.
    #[default]
    Nothing,
    /// A token that is not shown: reasoning, or one that decodes to no text.
    Hidden,
    /// A token that is output.
    Output,
}

/// The times of the tokens of one answer.
#[derive(Debug)]
pub(crate) struct TokenClock {
    first_byte: Option<Instant>,
    tokens: Phase,
    first_output: Option<Instant>,
    gaps: Sketch,
    token_events: u64,
    arrivals: u64,
}

#[derive(Debug)]
enum Phase {
    AwaitingFirst,
    One {
        first: Instant,
    },
    Many {
        first: Instant,
        second: Instant,
        last: Instant,
        longest: Duration,
        stalls: u32,
    },
}

// === impl TokenClock ===

impl TokenClock {
    pub(crate) fn new() -> Self {
        Self {
            first_byte: None,
            tokens: Phase::AwaitingFirst,
            first_output: None,
            gaps: Sketch::default(),
            token_events: 0,
            arrivals: 0,
        }
    }

    /// Bytes of the body arrived, whatever they are.
    pub(crate) fn bytes(&mut self, now: Instant) {
        self.first_byte.get_or_insert(now);
    }

    /// A read carried `events` token events, the most telling of them `carried`.
    pub(crate) fn arrival(&mut self, now: Instant, events: u64, carried: Carried) {
        if events == 0 {
            return;
        }
        self.token_events += events;
        self.arrivals += 1;
        if carried == Carried::Output {
            self.first_output.get_or_insert(now);
        }
        self.tokens = match self.tokens {
            Phase::AwaitingFirst => Phase::One { first: now },
            Phase::One { first } => {
                self.gaps = Sketch::with_capacity(GAP_BUCKETS);
                let gap = self.gap(first, now);
                Phase::Many {
                    first,
                    second: now,
                    last: now,
                    longest: gap,
                    stalls: u32::from(gap > STALL),
                }
            }
            Phase::Many {
                first,
                second,
                last,
                longest,
                stalls,
            } => {
                let gap = self.gap(last, now);
                let stalls = stalls.saturating_add(u32::from(gap > STALL));
                Phase::Many {
                    first,
                    second,
                    last: now,
                    longest: longest.max(gap),
                    stalls,
                }
            }
        };
    }

    pub(crate) const fn token_events(&self) -> u64 {
        self.token_events
    }

    pub(crate) const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    pub(crate) fn into_gaps(self) -> Sketch {
        self.gaps
    }

    /// The times since `t0`. `sent` is when the replica had the whole request; `later` the exact number of
    /// completion tokens that came after the first arrival, when it is known.
    pub(crate) fn times(&self, t0: Instant, sent: Option<Instant>, later: Option<u64>) -> Times {
        let since = |at: Instant| at.saturating_duration_since(t0);
        let mut times = Times {
            ttfb: self.first_byte.map(since),
            ttfo: self.first_output.map(since),
            ..Times::default()
        };
        let (Phase::One { first } | Phase::Many { first, .. }) = self.tokens else {
            return times;
        };
        times.ttft = Some(since(first));
        times.upstream_ttft = sent.map(|sent| first.saturating_duration_since(sent));
        if let Phase::Many {
            second,
            last,
            longest,
            stalls,
            ..
        } = self.tokens
        {
            let generation = last.saturating_duration_since(first);
            let gaps = self.arrivals - 1;
            times.ttst = Some(second.saturating_duration_since(first));
            times.generation = Some(generation);
            times.itl_count = gaps;
            times.itl_mean = u32::try_from(gaps)
                .ok()
                .and_then(|gaps| generation.checked_div(gaps));
            times.itl_max = Some(longest);
            times.stalls = stalls;
            // (tl - tf) / (N - k), undefined when all tokens came at once.
            times.tpot = later
                .and_then(|later| u32::try_from(later).ok())
                .and_then(|later| generation.checked_div(later));
        }
        times
    }

    fn gap(&mut self, before: Instant, now: Instant) -> Duration {
        let gap = now.saturating_duration_since(before);
        self.gaps.add(gap);
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        #[expect(
            clippy::disallowed_methods,
            reason = "an arbitrary origin; every later instant is computed from it"
        )]
        Instant::now()
    }

    #[test]
    fn times_run_from_the_events_that_carry_tokens() {
        let t0 = start();
        let mut clock = TokenClock::new();
        clock.bytes(t0 + 5 * MS);
        clock.arrival(t0 + 5 * MS, 0, Carried::Nothing);
        clock.arrival(t0 + 50 * MS, 1, Carried::Hidden);
        clock.arrival(t0 + 60 * MS, 3, Carried::Output);
        clock.arrival(t0 + 2_060 * MS, 1, Carried::Output);
        let times = clock.times(t0, Some(t0 + 10 * MS), Some(10));
        assert_eq!(times.ttfb, Some(5 * MS));
        assert_eq!(times.ttft, Some(50 * MS), "reasoning is a token");
        assert_eq!(times.ttfo, Some(60 * MS), "but it is not output");
        assert_eq!(times.upstream_ttft, Some(40 * MS));
        assert_eq!(times.ttst, Some(10 * MS));
        assert_eq!(
            (times.itl_count, times.itl_max, times.stalls),
            (2, Some(2_000 * MS), 1)
        );
        assert_eq!(times.itl_mean, Some(1_005 * MS));
        assert_eq!(
            times.tpot,
            Some(201 * MS),
            "2010 ms over ten tokens after the first"
        );
        assert_eq!((clock.token_events(), clock.arrivals()), (5, 3));
        assert_eq!(clock.into_gaps().count(), 2);
    }

    #[test]
    fn one_arrival_has_no_gap_and_no_tpot() {
        let t0 = start();
        let mut clock = TokenClock::new();
        clock.arrival(t0 + MS, 100, Carried::Output);
        let times = clock.times(t0, None, Some(99));
        assert_eq!((times.ttft, times.tpot, times.generation), (Some(MS), None, None));
        assert_eq!(times.upstream_ttft, None, "nothing was sent, nothing is known");
    }

    #[test]
    fn tpot_is_unknown_for_one_token_and_for_an_unknown_number() {
        let t0 = start();
        let mut clock = TokenClock::new();
        clock.arrival(t0 + MS, 1, Carried::Output);
        clock.arrival(t0 + 2 * MS, 1, Carried::Output);
        for later in [None, Some(0)] {
            assert_eq!(clock.times(t0, None, later).tpot, None, "{later:?}");
        }
    }

    #[test]
    fn no_token_no_times() {
        let t0 = start();
        let clock = TokenClock::new();
        assert_eq!(clock.times(t0, None, None), Times::default());
    }
}
