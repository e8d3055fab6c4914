//! A cell: every figure of a group of requests, made to be added up. Raw rows and rollups both end here,
//! which is why no two screens can differ.

mod counts;

use record::units::duration_us;
use record::{MetricRecord, Outcome, Tokens, UnixMillis};

use crate::answer::Summary;
use crate::spread::{Spread, unsigned_us};

pub(crate) use counts::Counts;

/// What a cell takes from one request: a record, or the same columns of a stored row.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) started_at: UnixMillis,
    pub(crate) stream: Option<bool>,
    pub(crate) outcome: Outcome,
    /// Whether the token counts are exact.
    pub(crate) exact: bool,
    pub(crate) prompt: Option<u64>,
    pub(crate) completion: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) reasoning: Option<u64>,
    pub(crate) ttft_us: Option<i64>,
    pub(crate) tpot_us: Option<i64>,
    pub(crate) e2e_us: i64,
    pub(crate) queue_us: Option<i64>,
    pub(crate) overhead_us: i64,
    /// The gaps between token arrivals; `None` without any.
    pub(crate) gaps: Option<Spread>,
    pub(crate) good: Option<bool>,
}

/// Which distribution of a cell an answer is made of. Reading one of six is a fourth of the work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Wanted {
    /// Every one.
    #[default]
    All,
    /// None: counts are enough.
    Counts,
    /// The one at this place of [`Cell::spreads`].
    One(usize),
}

/// The sum of any number of samples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Cell {
    pub(crate) counts: Counts,
    pub(crate) ttft: Spread,
    pub(crate) itl: Spread,
    pub(crate) tpot: Spread,
    pub(crate) e2e: Spread,
    pub(crate) queue: Spread,
    pub(crate) overhead: Spread,
}

// === impl Sample ===

impl From<&MetricRecord> for Sample {
    fn from(record: &MetricRecord) -> Self {
        let tokens = |count: Option<Tokens>| count.map(|count| count.0);
        let times = &record.times;
        let gaps = match (times.itl_mean, times.itl_max) {
            (Some(mean), Some(max)) if !record.gaps.is_empty() => Spread::of_gaps(
                &record.gaps.encode(),
                unsigned_us(duration_us(mean)),
                unsigned_us(duration_us(max)),
            ),
            _ => None,
        };
        Self {
            started_at: record.started_at,
            stream: record.shape.stream,
            outcome: record.outcome,
            exact: record.usage.source.is_exact(),
            prompt: tokens(record.usage.prompt),
            completion: tokens(record.usage.completion),
            cached: tokens(record.usage.cached),
            reasoning: tokens(record.usage.reasoning),
            ttft_us: times.ttft.map(duration_us),
            tpot_us: times.tpot.map(duration_us),
            e2e_us: duration_us(times.e2e),
            queue_us: times.queue.map(duration_us),
            overhead_us: duration_us(times.overhead),
            gaps,
            good: record.good,
        }
    }
}

// === impl Cell ===

impl Cell {
    /// Adds one request.
    pub(crate) fn add(&mut self, sample: &Sample) {
        self.counts.add(sample);
        for (spread, us) in [
            (&mut self.ttft, sample.ttft_us),
            (&mut self.tpot, sample.tpot_us),
            (&mut self.e2e, Some(sample.e2e_us)),
            (&mut self.queue, sample.queue_us),
            (&mut self.overhead, Some(sample.overhead_us)),
        ] {
            if let Some(us) = us {
                spread.add(unsigned_us(us));
            }
        }
        if let Some(gaps) = &sample.gaps {
            self.itl.merge(gaps);
        }
    }

    /// Adds every request of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        for (spread, more) in self.spreads_mut().into_iter().zip(other.spreads()) {
            spread.merge(more);
        }
    }

    /// The figures of everything that was added.
    pub(crate) fn summary(&self, from: UnixMillis, to: UnixMillis) -> Summary {
        let (first_at, last_at) = self.counts.span();
        Summary {
            from,
            to,
            requests: self.counts.requests,
            streams: self.counts.streams,
            outcomes: self.counts.by_outcome().collect(),
            failures: self.counts.failures(),
            tokens: self.counts.tokens(),
            ttft: self.ttft.distribution(),
            itl: self.itl.distribution(),
            tpot: self.tpot.distribution(),
            e2e: self.e2e.distribution(),
            queue: self.queue.distribution(),
            overhead: self.overhead.distribution(),
            goodput: self.counts.goodput(),
            first_at,
            last_at,
        }
    }

    /// Appends the canonical form: equal cells have equal bytes. `base` is the begin of the bucket.
    pub(crate) fn encode(&self, base: UnixMillis, bytes: &mut Vec<u8>) {
        self.counts.encode(base, bytes);
        for spread in self.spreads() {
            spread.encode(bytes);
        }
    }

    /// Reads what [`Self::encode`] wrote; `None` when it is something else.
    pub(crate) fn decode(base: UnixMillis, bytes: &[u8]) -> Option<Self> {
        Self::decode_some(base, bytes, Wanted::All)
    }

    /// Reads the counts, and those distributions that are wanted.
    pub(crate) fn decode_some(base: UnixMillis, mut bytes: &[u8], wanted: Wanted) -> Option<Self> {
        let bytes = &mut bytes;
        let mut cell = Self {
            counts: Counts::decode(base, bytes)?,
            ..Self::default()
        };
        for (place, spread) in cell.spreads_mut().into_iter().enumerate() {
            if wanted == Wanted::All || wanted == Wanted::One(place) {
                *spread = Spread::decode(bytes)?;
            } else {
                Spread::skip(bytes)?;
            }
        }
        bytes.is_empty().then_some(cell)
    }

    /// In the order in which they are stored.
    fn spreads(&self) -> [&Spread; 6] {
        [
            &self.ttft,
            &self.itl,
            &self.tpot,
            &self.e2e,
            &self.queue,
            &self.overhead,
        ]
    }

    fn spreads_mut(&mut self) -> [&mut Spread; 6] {
        [
            &mut self.ttft,
            &mut self.itl,
            &mut self.tpot,
            &mut self.e2e,
            &mut self.queue,
            &mut self.overhead,
        ]
    }
}

#[cfg(test)]
mod tests;
