//! A cell: every figure of a group of requests, made to be added up. Raw rows and rollups both end here,
//! which is why no two screens can differ.

use record::units::duration_us;
use record::{MetricRecord, Outcome, Tokens, UnixMillis};

use crate::answer::{Goodput, Summary, TokenSums};
use crate::codes::Code;
use crate::spread::{Spread, unsigned_us};
use crate::varint;

/// First byte of a stored cell.
const FORMAT: u64 = 1;

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
    pub(crate) itl_mean_us: Option<i64>,
    pub(crate) itl_max_us: Option<i64>,
    /// The encoded [`record::Sketch`] of the gaps; empty without gaps.
    pub(crate) gaps: Vec<u8>,
    pub(crate) tpot_us: Option<i64>,
    pub(crate) e2e_us: i64,
    pub(crate) queue_us: Option<i64>,
    pub(crate) overhead_us: i64,
    pub(crate) good: Option<bool>,
}

/// The sum of any number of samples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Cell {
    pub(crate) requests: u64,
    streams: u64,
    /// By the stored number of the outcome.
    outcomes: [u64; Outcome::LIST.len()],
    prompt: Coverage,
    completion: Coverage,
    cached: Coverage,
    reasoning: Coverage,
    reported: u64,
    good: u64,
    eligible: u64,
    /// `None` only when there are no requests.
    span: Option<Span>,
    pub(crate) ttft: Spread,
    pub(crate) itl: Spread,
    pub(crate) tpot: Spread,
    pub(crate) e2e: Spread,
    pub(crate) queue: Spread,
    pub(crate) overhead: Spread,
}

/// A sum, and how many requests it covers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Coverage {
    sum: u64,
    requests: u64,
}

/// From the first begin to the last end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    first_at: UnixMillis,
    last_at: UnixMillis,
}

// === impl Sample ===

impl From<&MetricRecord> for Sample {
    fn from(record: &MetricRecord) -> Self {
        let tokens = |count: Option<Tokens>| count.map(|count| count.0);
        let times = &record.times;
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
            itl_mean_us: times.itl_mean.map(duration_us),
            itl_max_us: times.itl_max.map(duration_us),
            gaps: record.gaps.encode(),
            tpot_us: times.tpot.map(duration_us),
            e2e_us: duration_us(times.e2e),
            queue_us: times.queue.map(duration_us),
            overhead_us: duration_us(times.overhead),
            good: record.good,
        }
    }
}

// === impl Cell ===

impl Cell {
    /// Adds one request.
    pub(crate) fn add(&mut self, sample: &Sample) {
        self.requests += 1;
        self.streams += u64::from(sample.stream == Some(true));
        if let Some(count) = usize::try_from(sample.outcome.code())
            .ok()
            .and_then(|at| self.outcomes.get_mut(at))
        {
            *count += 1;
        }
        // An estimate never enters a sum that claims to be exact.
        if sample.exact {
            self.prompt.add(sample.prompt);
            self.completion.add(sample.completion);
            self.cached.add(sample.cached);
            self.reasoning.add(sample.reasoning);
            self.reported += u64::from(sample.prompt.is_some() || sample.completion.is_some());
        }
        self.good += u64::from(sample.good == Some(true));
        self.eligible += u64::from(sample.good.is_some());
        let e2e_ms = sample.e2e_us.div_euclid(1_000);
        let last_at = UnixMillis(sample.started_at.0.saturating_add(e2e_ms));
        self.widen(Span {
            first_at: sample.started_at,
            last_at,
        });
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
        if let (Some(mean_us), Some(max_us)) = (sample.itl_mean_us, sample.itl_max_us)
            && let Some(gaps) = Spread::of_gaps(&sample.gaps, unsigned_us(mean_us), unsigned_us(max_us))
        {
            self.itl.merge(&gaps);
        }
    }

    /// Adds every request of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.streams += other.streams;
        for (count, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            *count += more;
        }
        self.prompt.merge(other.prompt);
        self.completion.merge(other.completion);
        self.cached.merge(other.cached);
        self.reasoning.merge(other.reasoning);
        self.reported += other.reported;
        self.good += other.good;
        self.eligible += other.eligible;
        if let Some(span) = other.span {
            self.widen(span);
        }
        self.ttft.merge(&other.ttft);
        self.itl.merge(&other.itl);
        self.tpot.merge(&other.tpot);
        self.e2e.merge(&other.e2e);
        self.queue.merge(&other.queue);
        self.overhead.merge(&other.overhead);
    }

    /// Requests for which the serving side failed.
    pub(crate) fn failures(&self) -> u64 {
        self.by_outcome()
            .filter(|(outcome, _)| outcome.is_failure())
            .map(|(_, count)| count)
            .sum()
    }

    /// Service goals met, and the requests that could have met them.
    pub(crate) const fn goodput(&self) -> Goodput {
        Goodput {
            good: self.good,
            eligible: self.eligible,
        }
    }

    /// Token sums.
    pub(crate) fn tokens(&self) -> TokenSums {
        TokenSums {
            prompt: self.prompt.known(),
            completion: self.completion.known(),
            cached: self.cached.known(),
            reasoning: self.reasoning.known(),
            reported_requests: self.reported,
        }
    }

    /// Outcomes that happened.
    pub(crate) fn by_outcome(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::LIST
            .iter()
            .copied()
            .zip(self.outcomes)
            .filter(|(_, count)| *count > 0)
    }

    /// The figures as an answer shows them.
    pub(crate) fn summary(&self, from: UnixMillis, to: UnixMillis) -> Summary {
        Summary {
            from,
            to,
            requests: self.requests,
            streams: self.streams,
            outcomes: self.by_outcome().collect(),
            failures: self.failures(),
            tokens: self.tokens(),
            ttft: self.ttft.distribution(),
            itl: self.itl.distribution(),
            tpot: self.tpot.distribution(),
            e2e: self.e2e.distribution(),
            queue: self.queue.distribution(),
            overhead: self.overhead.distribution(),
            goodput: self.goodput(),
            first_at: self.span.map(|span| span.first_at),
            last_at: self.span.map(|span| span.last_at),
        }
    }

    /// The canonical stored form: equal cells have equal bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        for number in [FORMAT, self.requests, self.streams] {
            varint::put(&mut bytes, number);
        }
        let happened = self.outcomes.iter().filter(|count| **count > 0).count();
        varint::put(&mut bytes, u64::try_from(happened).unwrap_or(0));
        for (code, count) in (0_u64..).zip(self.outcomes).filter(|(_, count)| *count > 0) {
            varint::put(&mut bytes, code);
            varint::put(&mut bytes, count);
        }
        for coverage in [self.prompt, self.completion, self.cached, self.reasoning] {
            varint::put(&mut bytes, coverage.requests);
            varint::put(&mut bytes, coverage.sum);
        }
        let (first_at, last_at) = self.span.map_or((0, 0), |span| (span.first_at.0, span.last_at.0));
        let length_ms = last_at.saturating_sub(first_at);
        for number in [
            self.reported,
            self.good,
            self.eligible,
            unsigned_us(first_at),
            unsigned_us(length_ms),
        ] {
            varint::put(&mut bytes, number);
        }
        for spread in [
            &self.ttft,
            &self.itl,
            &self.tpot,
            &self.e2e,
            &self.queue,
            &self.overhead,
        ] {
            spread.encode(&mut bytes);
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote; `None` when it is something else.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut cell = Self::decode_counts(bytes)?;
        for spread in [
            &mut cell.ttft,
            &mut cell.itl,
            &mut cell.tpot,
            &mut cell.e2e,
            &mut cell.queue,
            &mut cell.overhead,
        ] {
            *spread = Spread::decode(bytes)?;
        }
        bytes.is_empty().then_some(cell)
    }

    fn decode_counts(bytes: &mut &[u8]) -> Option<Self> {
        if varint::take(bytes)? != FORMAT {
            return None;
        }
        let mut cell = Self {
            requests: varint::take(bytes)?,
            streams: varint::take(bytes)?,
            ..Self::default()
        };
        for _ in 0..varint::take(bytes)? {
            let code = usize::try_from(varint::take(bytes)?).ok()?;
            *cell.outcomes.get_mut(code)? = varint::take(bytes)?;
        }
        for coverage in [
            &mut cell.prompt,
            &mut cell.completion,
            &mut cell.cached,
            &mut cell.reasoning,
        ] {
            *coverage = Coverage {
                requests: varint::take(bytes)?,
                sum: varint::take(bytes)?,
            };
        }
        cell.reported = varint::take(bytes)?;
        cell.good = varint::take(bytes)?;
        cell.eligible = varint::take(bytes)?;
        let first_at = i64::try_from(varint::take(bytes)?).ok()?;
        let length_ms = i64::try_from(varint::take(bytes)?).ok()?;
        cell.span = (cell.requests > 0).then_some(Span {
            first_at: UnixMillis(first_at),
            last_at: UnixMillis(first_at.saturating_add(length_ms)),
        });
        Some(cell)
    }

    fn widen(&mut self, other: Span) {
        let span = self.span.get_or_insert(other);
        span.first_at = span.first_at.min(other.first_at);
        span.last_at = span.last_at.max(other.last_at);
    }
}

// === impl Coverage ===

impl Coverage {
    fn add(&mut self, count: Option<u64>) {
        if let Some(count) = count {
            self.merge(Self {
                sum: count,
                requests: 1,
            });
        }
    }

    fn merge(&mut self, other: Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.requests += other.requests;
    }

    /// The sum, when anything is known at all.
    fn known(self) -> Option<u64> {
        (self.requests > 0).then_some(self.sum)
    }
}

#[cfg(test)]
mod tests;
