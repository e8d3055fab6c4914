//! A mergeable distribution of time spans: logarithmic buckets of 1 % relative error, plus exact count, sum,
//! min, max.
//!
//! Merging is addition bucket by bucket, so a merge of merges equals the direct one, byte for byte. Bucket
//! `i` holds the microseconds `v` with `GAMMA^(i-1) < v <= GAMMA^i`, bucket 0 all up to one: the buckets of
//! [`record::Sketch`], so that a record's gaps can be added without loss. (A `Sketch` counts to 2^32, too
//! little for a month of gaps.) A bucket's representative is at most `ALPHA` away from each value in it
//! (<https://arxiv.org/abs/1908.10693>).

use std::time::Duration;

use record::units::count_f64;

use crate::answer::Distribution;
use crate::varint;

/// The relative error of a percentile.
const ALPHA: f64 = 0.01;

/// The ratio of two neighbouring bucket borders.
const GAMMA: f64 = (1.0 + ALPHA) / (1.0 - ALPHA);

/// The largest half of a byte: the number goes on behind it.
const NIBBLE: u8 = 0x0f;

/// The last bucket. It ends beyond 2^64 microseconds, so every value has a bucket of its own width.
const BUCKET_MAX: u16 = 2_300;

/// A distribution of microseconds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Spread {
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    /// Bucket and count, sorted by bucket, no empty ones.
    buckets: Vec<(u16, u64)>,
}

// === impl Spread ===

impl Spread {
    /// Adds one value.
    pub(crate) fn add(&mut self, us: u64) {
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.count = self.count.saturating_add(1);
        self.sum_us = self.sum_us.saturating_add(us);
        let bucket = bucket_of(us);
        match self.buckets.binary_search_by_key(&bucket, |(at, _)| *at) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }

    /// The gaps of one request: its encoded [`record::Sketch`], their mean and the largest. `None` when the
    /// bytes are not such a sketch. A sketch does not keep its smallest value, so the lower border of its
    /// first bucket stands in.
    pub(crate) fn of_gaps(mut sketch: &[u8], mean_us: u64, max_us: u64) -> Option<Self> {
        let mut spread = Self::default();
        // At least two bytes a bucket.
        spread.buckets.reserve(sketch.len() / 2);
        let mut bucket = 0_u16;
        while !sketch.is_empty() {
            bucket = bucket.checked_add(u16::try_from(varint::take(&mut sketch)?).ok()?)?;
            let count = varint::take(&mut sketch)?;
            spread.count = spread.count.checked_add(count)?;
            spread.buckets.push((bucket, count));
        }
        let &(first, _) = spread.buckets.first()?;
        spread.max_us = max_us;
        spread.min_us = first.checked_sub(1).map_or(0, value_of).min(max_us);
        spread.sum_us = mean_us.saturating_mul(spread.count);
        (bucket <= BUCKET_MAX && spread.count > 0).then_some(spread)
    }

    /// Adds every value of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
        merge_buckets(&mut self.buckets, &other.buckets);
    }

    /// The value below which `permille` of a thousand values lie, by nearest rank; `None` without values.
    pub(crate) fn quantile_us(&self, permille: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (u128::from(self.count) * u128::from(permille))
            .div_ceil(1_000)
            .max(1);
        let mut seen = 0_u128;
        for (bucket, count) in &self.buckets {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(value_of(*bucket).clamp(self.min_us, self.max_us));
            }
        }
        Some(self.max_us)
    }

    /// The mean in microseconds; `None` without values.
    pub(crate) fn mean_us(&self) -> Option<f64> {
        (self.count > 0).then(|| count_f64(self.sum_us) / count_f64(self.count))
    }

    /// The figures that an answer shows.
    pub(crate) fn distribution(&self) -> Distribution {
        let at = |permille| self.quantile_us(permille).map(Duration::from_micros);
        Distribution {
            count: self.count,
            mean: self.sum_us.checked_div(self.count).map(Duration::from_micros),
            p50: at(500),
            p90: at(900),
            p95: at(950),
            p99: at(990),
            max: (self.count > 0).then(|| Duration::from_micros(self.max_us)),
        }
    }

    /// Appends the canonical form: its length in bytes, then the parts. Nothing but a zero length without
    /// values.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        if self.count == 0 {
            varint::put(bytes, 0);
            return;
        }
        let mut body = Vec::with_capacity(16 + 3 * self.buckets.len());
        for part in [self.sum_us, self.min_us, self.max_us - self.min_us] {
            varint::put(&mut body, part);
        }
        let mut previous = 0;
        for (bucket, count) in &self.buckets {
            put_bucket(&mut body, u64::from(bucket - previous), *count);
            previous = *bucket;
        }
        varint::put(bytes, u64::try_from(body.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&body);
    }

    /// Passes over what [`Self::encode`] wrote; `None` when it is something else.
    pub(crate) fn skip(bytes: &mut &[u8]) -> Option<()> {
        let len = varint::take(bytes)?;
        varint::take_slice(bytes, len).map(|_| ())
    }

    /// Reads what [`Self::encode`] wrote off the front; `None` when it is something else.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let len = varint::take(bytes)?;
        let mut body = varint::take_slice(bytes, len)?;
        if body.is_empty() {
            return Some(Self::default());
        }
        let mut spread = Self {
            sum_us: varint::take(&mut body)?,
            ..Self::default()
        };
        spread.min_us = varint::take(&mut body)?;
        spread.max_us = spread.min_us.checked_add(varint::take(&mut body)?)?;
        spread.buckets.reserve(body.len());
        let mut bucket = 0_u16;
        while !body.is_empty() {
            let (step, count) = take_bucket(&mut body)?;
            bucket = bucket.checked_add(u16::try_from(step).ok()?)?;
            spread.count = spread.count.checked_add(count)?;
            spread.buckets.push((bucket, count));
        }
        (bucket <= BUCKET_MAX && spread.count > 0).then_some(spread)
    }
}

/// Appends a bucket: the distance to the one before in the high half of a byte, its count less one in the low
/// half. What does not fit follows. In most stored spreads a bucket is one byte.
fn put_bucket(body: &mut Vec<u8>, step: u64, count: u64) {
    let less = count - 1;
    let high = u8::try_from(step).map_or(NIBBLE, |step| step.min(NIBBLE));
    let low = u8::try_from(less).map_or(NIBBLE, |less| less.min(NIBBLE));
    body.push(high << 4 | low);
    if high == NIBBLE {
        varint::put(body, step - u64::from(NIBBLE));
    }
    if low == NIBBLE {
        varint::put(body, less - u64::from(NIBBLE));
    }
}

fn take_bucket(body: &mut &[u8]) -> Option<(u64, u64)> {
    let (byte, rest) = body.split_first()?;
    *body = rest;
    let mut half = |nibble: u8| {
        let more = if nibble == NIBBLE { varint::take(body)? } else { 0 };
        u64::from(nibble).checked_add(more)
    };
    let step = half(byte >> 4)?;
    let count = half(byte & NIBBLE)?.checked_add(1)?;
    Some((step, count))
}

/// A stored number of microseconds as the unsigned one of a spread; a negative one is zero.
pub(crate) fn unsigned_us(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0)
}

/// Adds sorted buckets to sorted buckets, in place: most of them are there already, and the rest moves once.
fn merge_buckets(into: &mut Vec<(u16, u64)>, from: &[(u16, u64)]) {
    let mut missing = 0;
    let mut at = 0;
    for (bucket, count) in from {
        while into.get(at).is_some_and(|(have, _)| have < bucket) {
            at += 1;
        }
        match into.get_mut(at) {
            Some((have, sum)) if have == bucket => *sum = sum.saturating_add(*count),
            _ => missing += 1,
        }
    }
    if missing == 0 {
        return;
    }
    // From the back, so that every bucket moves to its place at once.
    let mut read = into.len();
    into.resize(read + missing, (0, 0));
    let mut write = into.len();
    for (bucket, count) in from.iter().rev() {
        while read > 0 && into[read - 1].0 > *bucket {
            read -= 1;
            write -= 1;
            into[write] = into[read];
        }
        if read == 0 || into[read - 1].0 != *bucket {
            write -= 1;
            into[write] = (*bucket, *count);
        }
    }
}

/// The bucket of a value.
#[expect(
    clippy::as_conversions,
    reason = "std has no other way from a float to an integer; `as` saturates"
)]
fn bucket_of(us: u64) -> u16 {
    if us <= 1 {
        return 0;
    }
    let index = (count_f64(us).ln() / GAMMA.ln()).ceil() as u16;
    index.min(BUCKET_MAX)
}

/// The microseconds that stand for all values of a bucket.
#[expect(
    clippy::as_conversions,
    reason = "std has no other way from a float to an integer; `as` saturates"
)]
fn value_of(bucket: u16) -> u64 {
    if bucket == 0 {
        return 1;
    }
    let border = (f64::from(bucket) * GAMMA.ln()).exp();
    (2.0 * border / (GAMMA + 1.0)).round() as u64
}

#[cfg(test)]
mod tests;
