//! The counts of a group of requests: how many, how they ended, their tokens, when.

use record::{Outcome, UnixMillis};

use super::Sample;
use crate::answer::{Goodput, TokenSums};
use crate::codes::Code;
use crate::varint;

/// Bits of the first byte of stored counts: a count that equals the number of requests is not written. Most
/// cells of who asked hold a few requests that all went well, and so take half the space.
const ALL_STREAMS: u8 = 1;
const ALL_SUCCESS: u8 = 1 << 1;
const ALL_REPORTED: u8 = 1 << 2;
const ALL_GOOD: u8 = 1 << 3;
const ALL_COVERED: [u8; 4] = [1 << 4, 1 << 5, 1 << 6, 1 << 7];

/// Counts of any number of requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) streams: u64,
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

// === impl Counts ===

impl Counts {
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
    }

    /// Requests for which the serving side failed.
    pub(crate) fn failures(&self) -> u64 {
        self.by_outcome()
            .filter(|(outcome, _)| outcome.is_failure())
            .map(|(_, count)| count)
            .sum()
    }

    /// Outcomes that happened, and how often.
    pub(crate) fn by_outcome(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::LIST
            .iter()
            .zip(self.outcomes)
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| (*outcome, count))
    }

    pub(crate) fn tokens(&self) -> TokenSums {
        TokenSums {
            prompt: self.prompt.known(),
            completion: self.completion.known(),
            cached: self.cached.known(),
            reasoning: self.reasoning.known(),
            reported_requests: self.reported,
        }
    }

    pub(crate) fn goodput(&self) -> Goodput {
        Goodput {
            good: self.good,
            eligible: self.eligible,
        }
    }

    /// When the first request began and the last one ended.
    pub(crate) fn span(&self) -> (Option<UnixMillis>, Option<UnixMillis>) {
        (
            self.span.map(|span| span.first_at),
            self.span.map(|span| span.last_at),
        )
    }

    /// Appends the canonical form. `base` is the begin of the bucket: what is near it takes fewer bytes.
    pub(crate) fn encode(&self, base: UnixMillis, bytes: &mut Vec<u8>) {
        varint::put(bytes, self.requests);
        let coverages = [self.prompt, self.completion, self.cached, self.reasoning];
        let all = |count: u64, bit: u8| if count == self.requests { bit } else { 0 };
        let mut bits = all(self.streams, ALL_STREAMS)
            | all(self.outcomes[0], ALL_SUCCESS)
            | all(self.reported, ALL_REPORTED)
            | all(self.good.min(self.eligible), ALL_GOOD);
        for (coverage, bit) in coverages.iter().zip(ALL_COVERED) {
            bits |= all(coverage.requests, bit);
        }
        bytes.push(bits);
        if bits & ALL_STREAMS == 0 {
            varint::put(bytes, self.streams);
        }
        if bits & ALL_SUCCESS == 0 {
            let happened = self.outcomes.iter().filter(|count| **count > 0).count();
            varint::put(bytes, u64::try_from(happened).unwrap_or(0));
            for (code, count) in (0_u64..).zip(self.outcomes).filter(|(_, count)| *count > 0) {
                varint::put(bytes, code);
                varint::put(bytes, count);
            }
        }
        if bits & ALL_REPORTED == 0 {
            varint::put(bytes, self.reported);
        }
        if bits & ALL_GOOD == 0 {
            varint::put(bytes, self.good);
            varint::put(bytes, self.eligible);
        }
        for (coverage, bit) in coverages.iter().zip(ALL_COVERED) {
            if bits & bit == 0 {
                varint::put(bytes, coverage.requests);
            }
            if coverage.requests > 0 {
                varint::put(bytes, coverage.sum);
            }
        }
        if let Some(span) = self.span {
            varint::put_signed(bytes, span.first_at.0.saturating_sub(base.0));
            varint::put_signed(bytes, span.last_at.0.saturating_sub(span.first_at.0));
        }
    }

    /// Reads what [`Self::encode`] wrote off the front; `None` when it is something else.
    pub(crate) fn decode(base: UnixMillis, bytes: &mut &[u8]) -> Option<Self> {
        let mut counts = Self::default();
        counts.add_stored(base, bytes)?;
        Some(counts)
    }

    /// Adds what [`Self::encode`] wrote off the front, field by field: a year of users is millions of cells.
    /// `None` when it is something else; what was read before stays added.
    pub(crate) fn add_stored(&mut self, base: UnixMillis, bytes: &mut &[u8]) -> Option<()> {
        let requests = varint::take(bytes)?;
        let [bits, ..] = *varint::take_slice(bytes, 1)? else {
            return None;
        };
        let unless_all = |bit: u8, bytes: &mut &[u8]| {
            if bits & bit == 0 {
                varint::take(bytes)
            } else {
                Some(requests)
            }
        };
        add(&mut self.requests, requests)?;
        add(&mut self.streams, unless_all(ALL_STREAMS, bytes)?)?;
        if bits & ALL_SUCCESS == 0 {
            for _ in 0..varint::take(bytes)? {
                let code = usize::try_from(varint::take(bytes)?).ok()?;
                add(self.outcomes.get_mut(code)?, varint::take(bytes)?)?;
            }
        } else {
            add(&mut self.outcomes[0], requests)?;
        }
        add(&mut self.reported, unless_all(ALL_REPORTED, bytes)?)?;
        add(&mut self.good, unless_all(ALL_GOOD, bytes)?)?;
        add(&mut self.eligible, unless_all(ALL_GOOD, bytes)?)?;
        for (coverage, bit) in [
            &mut self.prompt,
            &mut self.completion,
            &mut self.cached,
            &mut self.reasoning,
        ]
        .into_iter()
        .zip(ALL_COVERED)
        {
            let covered = unless_all(bit, bytes)?;
            if covered > 0 {
                add(&mut coverage.requests, covered)?;
                coverage.sum = coverage.sum.saturating_add(varint::take(bytes)?);
            }
        }
        if requests > 0 {
            let first_at = base.0.checked_add(varint::take_signed(bytes)?)?;
            let last_at = first_at.checked_add(varint::take_signed(bytes)?)?;
            self.widen(Span {
                first_at: UnixMillis(first_at),
                last_at: UnixMillis(last_at),
            });
        }
        Some(())
    }

    fn widen(&mut self, other: Span) {
        let span = self.span.get_or_insert(other);
        span.first_at = span.first_at.min(other.first_at);
        span.last_at = span.last_at.max(other.last_at);
    }
}

/// Adds what was stored; `None` when no ledger holds so much.
fn add(sum: &mut u64, more: u64) -> Option<()> {
    *sum = sum.checked_add(more)?;
    Some(())
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
