//! Chance from a seed: the same seed makes the same choices.

/// A small generator (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>). Good enough to break ties and to
/// draw candidates, not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The step of SplitMix64: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Random ===

impl Random {
    /// A generator that starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// An even draw from `0..len`; 0 when `len` is 0.
    pub fn below(&mut self, len: usize) -> usize {
        let len_bits = u128::try_from(len).unwrap_or(u128::MAX);
        // The high half of the product is even up to 2^-64 of a bias:
        // https://arxiv.org/abs/1805.10941
        let high = (u128::from(self.next_bits()) * len_bits) >> 64;
        usize::try_from(high).unwrap_or(0)
    }

    /// An even draw from `0..len`; 0 when `len` is 0.
    pub fn below_u64(&mut self, len: u64) -> u64 {
        let high = (u128::from(self.next_bits()) * u128::from(len)) >> 64;
        u64::try_from(high).unwrap_or(0)
    }
}

/// Spreads the bits of a number over all 64: neighbours in, strangers out.
pub(crate) const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_draws_are_even() {
        let mut first = Random::new(7);
        let mut second = Random::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let drawn = first.below(10);
            assert_eq!(drawn, second.below(10), "the same seed draws the same");
            counts[drawn] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?} should be near 1000 each"
        );
        assert_eq!(first.below(0), 0, "nothing to draw from");
    }
}
