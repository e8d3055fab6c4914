//! A mergeable histogram of time spans with a bounded relative error.
//!
//! Log-spaced buckets: a span of `v` microseconds falls into bucket `ceil(ln v / ln g)` with `g = (1 + a) /
//! (1 - a)` and `a` = 1 %, so every value of a bucket lies within 1 % of the bucket's representative. Merging
//! adds counts: it is exact, associative and commutative, so a rollup of rollups equals the direct one. The
//! scheme is DDSketch's (<https://arxiv.org/abs/1908.10693>).

use std::time::Duration;

use crate::units::count_f64;

/// Bound on the relative error of a value.
const ERROR: f64 = 0.01;

/// Buckets kept before the smallest two are merged. Why this number: spans from 1 us to a day need 1,260.
const BUCKETS_MAX: usize = 1_400;

/// Counts of time spans in log-spaced buckets. Empty costs no memory beyond itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sketch {
    /// Bucket index and count, sorted by index. Index 0 holds spans of up to 1 us.
    buckets: Vec<(u16, u32)>,
}

// === impl Sketch ===

impl Sketch {
    /// An empty sketch with room for `buckets` different buckets, so that the first ones cost no allocation.
    #[must_use]
    pub fn with_capacity(buckets: usize) -> Self {
        Self {
            buckets: Vec::with_capacity(buckets),
        }
    }

    /// Counts one span. Costs a logarithm and a binary search; allocates only when a new bucket exceeds the
    /// capacity.
    pub fn add(&mut self, span: Duration) {
        self.add_n(bucket_of(span), 1);
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add_n(*bucket, *count);
        }
    }

    /// How many spans were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The span below or at which a share `q` (0 to 1) of the counted spans lies, within 1 %; `None` when
    /// empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // Nearest rank: the smallest value whose rank is at least q * n.
        let rank = (q.clamp(0.0, 1.0) * count_f64(count)).ceil().max(1.0);
        let mut seen = 0_u64;
        for (bucket, n) in &self.buckets {
            seen += u64::from(*n);
            if count_f64(seen) >= rank {
                return Some(representative(*bucket));
            }
        }
        self.buckets.last().map(|(bucket, _)| representative(*bucket))
    }

    /// Each bucket's representative span and its count, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.buckets
            .iter()
            .map(|(bucket, count)| (representative(*bucket), u64::from(*count)))
    }

    /// A compact form: for each bucket the distance to the one before and the count, as LEB128 varints.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.buckets.len() * 2);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            push_varint(&mut bytes, u32::from(bucket - before));
            push_varint(&mut bytes, *count);
            before = *bucket;
        }
        bytes
    }

    /// Reads the compact form; `None` when the bytes are not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self::default();
        let mut rest = bytes;
        let mut bucket = 0_u16;
        while !rest.is_empty() {
            let step = u16::try_from(take_varint(&mut rest)?).ok()?;
            if step == 0 && !sketch.buckets.is_empty() {
                return None;
            }
            bucket = bucket.checked_add(step)?;
            let count = take_varint(&mut rest)?;
            sketch.buckets.push((bucket, count));
        }
        Some(sketch)
    }

    fn add_n(&mut self, bucket: u16, n: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(index, _)| *index) {
            Ok(found) => {
                if let Some((_, count)) = self.buckets.get_mut(found) {
                    *count = count.saturating_add(n);
                }
            }
            Err(place) => {
                self.buckets.insert(place, (bucket, n));
                if self.buckets.len() > BUCKETS_MAX {
                    let (_, smallest) = self.buckets.remove(0);
                    if let Some((_, count)) = self.buckets.first_mut() {
                        *count = count.saturating_add(smallest);
                    }
                }
            }
        }
    }
}

/// `ln g`, the width of a bucket on the logarithmic scale.
fn ln_growth() -> f64 {
    ((1.0 + ERROR) / (1.0 - ERROR)).ln()
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u16 first"
)]
fn bucket_of(span: Duration) -> u16 {
    let us = span.as_secs_f64() * 1e6;
    if us <= 1.0 {
        return 0;
    }
    (us.ln() / ln_growth()).ceil().clamp(0.0, f64::from(u16::MAX)) as u16
}

/// The value with the smallest relative error for every value of the bucket: `2 g^i / (g + 1)`.
fn representative(bucket: u16) -> Duration {
    if bucket == 0 {
        return Duration::from_micros(1);
    }
    let growth = (1.0 + ERROR) / (1.0 - ERROR);
    let us = 2.0 * (f64::from(bucket) * ln_growth()).exp() / (growth + 1.0);
    Duration::try_from_secs_f64(us / 1e6).unwrap_or(Duration::MAX)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u32) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0x7f);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in [0_u32, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spans_us: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        for us in spans_us {
            sketch.add(Duration::from_micros(us));
        }
        sketch
    }

    #[test]
    fn quantiles_lie_within_one_percent() {
        let sketch = of(1..=10_000);
        for (q, exact) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let got = sketch.quantile(q).unwrap().as_secs_f64() * 1e6;
            assert!(
                (got / exact - 1.0).abs() <= 0.0101,
                "q {q}: {got} against {exact}"
            );
        }
        assert_eq!(
            Sketch::default().quantile(0.5),
            None,
            "nothing counted, nothing known"
        );
    }

    #[test]
    fn merging_equals_counting_together() {
        let (left, right) = (of((1..500).map(|v| v * 7)), of((1..900).map(|v| v * 13)));
        let mut merged = left.clone();
        merged.merge(&right);
        let together = of((1..500).map(|v| v * 7).chain((1..900).map(|v| v * 13)));
        assert_eq!(merged, together);
        let mut other_way = right;
        other_way.merge(&left);
        assert_eq!(other_way, together, "order does not matter");
        assert_eq!(merged.count(), 499 + 899);
    }

    #[test]
    fn the_compact_form_reads_back_and_refuses_nonsense() {
        let sketch = of([0, 1, 2, 3, 1_000, 1_000, 50_000_000]);
        assert_eq!(Sketch::decode(&sketch.encode()), Some(sketch));
        assert_eq!(Sketch::decode(&[]), Some(Sketch::default()));
        assert_eq!(Sketch::decode(&[0x80]), None, "a cut varint is not a sketch");
        assert_eq!(Sketch::decode(&[1, 1, 0, 1]), None, "a bucket stands only once");
    }
}
