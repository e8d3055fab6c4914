//! What a run saw, summed up as it goes: memory does not grow with its length.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use record::units::{count_f64, duration_ms};

/// One request as its client saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) end: End,
    /// From the planned moment to the one at which the client began to send.
    pub(crate) late: Duration,
    pub(crate) status: Option<u16>,
    /// To the first byte of the answer.
    pub(crate) ttfb: Option<Duration>,
    /// To the first event with content.
    pub(crate) ttft: Option<Duration>,
    pub(crate) e2e: Duration,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    /// Between two arrivals with content.
    pub(crate) gaps: Vec<Duration>,
    pub(crate) done: bool,
}

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The answer came whole, as its framing says; whatever its status.
    Whole,
    /// The client left on purpose.
    Aborted,
    /// No connection.
    Unreachable,
    /// The connection ended before the answer did.
    Broken,
    /// Too slow.
    TimedOut,
}

/// What a run saw.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Requests that ended, in any way.
    pub requests: u64,
    /// Answers received whole, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers received whole: the sum of `statuses`.
    pub whole: u64,
    /// Streamed answers of them that carried `[DONE]`.
    pub done: u64,
    /// Requests dropped by the client on purpose.
    pub aborted: u64,
    /// Requests without a connection.
    pub unreachable: u64,
    /// Answers that broke off.
    pub broken: u64,
    /// Requests that took too long.
    pub timed_out: u64,
    /// Events with content received.
    pub events: u64,
    /// Bytes of answers received.
    pub bytes: u64,
    /// How long the run took.
    pub elapsed: Duration,
    /// The `x-request-id` of each answer received whole, when they were to be kept.
    pub whole_ids: Vec<String>,
    /// The times of each streamed answer received whole with status 200, when they were to be kept.
    pub times: Vec<Timed>,
    ttfb: Histogram<u64>,
    ttft: Histogram<u64>,
    itl: Histogram<u64>,
    e2e: Histogram<u64>,
}

/// One streamed answer by its client's clock, from the moment at which it began to send.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Its `x-request-id`.
    pub id: String,
    /// To the first event with content.
    pub ttft: Duration,
    /// Times between two arrivals with content.
    pub gaps: u64,
    /// Their mean; `None` when there are none.
    pub itl_mean: Option<Duration>,
    /// To the last byte.
    pub e2e: Duration,
}

/// What is kept of each request of a run, beyond the sums.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Keep {
    pub(crate) ids: bool,
    pub(crate) times: bool,
}

/// Some percentiles of a time, over answers received whole with status 200.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Percentiles {
    /// How many values there are.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// The 90th percentile.
    pub p90: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The largest.
    pub max: Duration,
}

/// Longest time that is told apart, in microseconds: an hour.
const SPAN_MAX_US: u64 = 3_600_000_000;

// === impl Summary ===

impl Summary {
    pub(crate) fn new() -> Self {
        let times = || {
            Histogram::new_with_bounds(1, SPAN_MAX_US, 3)
                .expect("one microsecond to one hour is a valid range")
        };
        Self {
            requests: 0,
            statuses: BTreeMap::new(),
            whole: 0,
            done: 0,
            aborted: 0,
            unreachable: 0,
            broken: 0,
            timed_out: 0,
            events: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            whole_ids: Vec::new(),
            times: Vec::new(),
            ttfb: times(),
            ttft: times(),
            itl: times(),
            e2e: times(),
        }
    }

    pub(crate) fn add(&mut self, seen: Seen, keep: Keep) {
        self.requests += 1;
        self.events += seen.events;
        self.bytes += seen.bytes;
        match seen.end {
            End::Whole => self.add_whole(seen, keep),
            End::Aborted => self.aborted += 1,
            End::Unreachable => self.unreachable += 1,
            End::Broken => self.broken += 1,
            End::TimedOut => self.timed_out += 1,
        }
    }

    /// To the first byte of the answer.
    #[must_use]
    pub fn ttfb(&self) -> Option<Percentiles> {
        Percentiles::of(&self.ttfb)
    }

    /// To the first event with content; streamed answers only.
    #[must_use]
    pub fn ttft(&self) -> Option<Percentiles> {
        Percentiles::of(&self.ttft)
    }

    /// Between two arrivals with content; streamed answers only.
    #[must_use]
    pub fn itl(&self) -> Option<Percentiles> {
        Percentiles::of(&self.itl)
    }

    /// To the last byte.
    #[must_use]
    pub fn e2e(&self) -> Option<Percentiles> {
        Percentiles::of(&self.e2e)
    }

    /// Ended requests a second.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            count_f64(self.requests) / seconds
        } else {
            0.0
        }
    }

    fn add_whole(&mut self, seen: Seen, keep: Keep) {
        self.whole += 1;
        self.done += u64::from(seen.done);
        if let Some(status) = seen.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        if seen.status == Some(200) {
            let firsts = [
                (&mut self.ttfb, seen.ttfb),
                (&mut self.ttft, seen.ttft),
                (&mut self.e2e, Some(seen.e2e)),
            ];
            for (times, span) in firsts {
                if let Some(span) = span {
                    record(times, span);
                }
            }
            for gap in &seen.gaps {
                record(&mut self.itl, *gap);
            }
        }
        if keep.times
            && let (Some(200), Some(ttft)) = (seen.status, seen.ttft)
        {
            let gaps = u32::try_from(seen.gaps.len()).unwrap_or(u32::MAX);
            self.times.push(Timed {
                id: seen.id.clone(),
                ttft: ttft.saturating_sub(seen.late),
                gaps: gaps.into(),
                itl_mean: seen.gaps.iter().sum::<Duration>().checked_div(gaps),
                e2e: seen.e2e.saturating_sub(seen.late),
            });
        }
        if keep.ids {
            self.whole_ids.push(seen.id);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statuses: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        writeln!(
            f,
            "{} requests in {:.1} s ({:.1} a second): {} whole ({}), {} aborted, {} broken, {} unreachable, \
             {} timed out",
            self.requests,
            self.elapsed.as_secs_f64(),
            self.requests_per_second(),
            self.whole,
            statuses.join(", "),
            self.aborted,
            self.broken,
            self.unreachable,
            self.timed_out,
        )?;
        writeln!(
            f,
            "{:<6}{:>9}{:>12}{:>12}{:>12}{:>12}",
            "", "count", "p50 ms", "p90 ms", "p99 ms", "max ms"
        )?;
        for (name, times) in [
            ("ttfb", self.ttfb()),
            ("ttft", self.ttft()),
            ("itl", self.itl()),
            ("e2e", self.e2e()),
        ] {
            let Some(Percentiles {
                count,
                p50,
                p90,
                p99,
                max,
            }) = times
            else {
                continue;
            };
            write!(f, "{name:<6}{count:>9}")?;
            for span in [p50, p90, p99, max] {
                write!(f, "{:>12.3}", duration_ms(span))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

// === impl Percentiles ===

impl Percentiles {
    fn of(times: &Histogram<u64>) -> Option<Self> {
        if times.is_empty() {
            return None;
        }
        let at = |quantile: f64| Duration::from_micros(times.value_at_quantile(quantile));
        Some(Self {
            count: times.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: Duration::from_micros(times.max()),
        })
    }
}

fn record(times: &mut Histogram<u64>, span: Duration) {
    let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    times.saturating_record(us.clamp(1, SPAN_MAX_US));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(end: End, status: Option<u16>, ms: u64) -> Seen {
        let e2e = Duration::from_millis(ms);
        Seen {
            id: format!("r{ms}"),
            end,
            late: Duration::ZERO,
            status,
            ttfb: None,
            ttft: None,
            e2e,
            bytes: 10,
            events: 2,
            gaps: vec![Duration::from_millis(3)],
            done: true,
        }
    }

    #[test]
    fn every_end_is_counted_once_and_only_good_answers_have_times() {
        let mut summary = Summary::new();
        let keep = Keep {
            ids: true,
            times: true,
        };
        summary.add(seen(End::Whole, Some(200), 10), keep);
        summary.add(seen(End::Whole, Some(404), 500), keep);
        for end in [End::Aborted, End::Broken, End::Unreachable, End::TimedOut] {
            summary.add(seen(end, None, 900), keep);
        }
        assert_eq!(summary.requests, 6);
        assert_eq!(
            summary.whole + summary.aborted + summary.broken + summary.unreachable + summary.timed_out,
            6
        );
        assert_eq!(summary.whole_ids, ["r10", "r500"]);
        assert_eq!(summary.times.len(), 0, "none of them was a stream");
        let e2e = summary.e2e().unwrap();
        assert_eq!(e2e.count, 1, "a 404 says nothing about how fast answers are");
        assert!(e2e.max.as_millis() == 10, "{e2e:?}");
        assert_eq!(summary.itl().unwrap().count, 1, "nor do the gaps of a 404");
        assert_eq!(summary.ttft(), None, "unknown is not zero");
        let text = summary.to_string();
        assert!(text.contains("2 whole (200: 1, 404: 1)"), "{text}");
        assert!(text.contains("e2e"), "{text}");
    }
}
