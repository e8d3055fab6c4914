//! How far a replica's cache can be relied on: the share of the believed tokens that it really had.
//!
//! A replica that caches nothing, or whose cache is too small for its share of the prompts, is believed less
//! and less, and affinity to it fades. What a miss does *not* do is to take blocks out of the index: the
//! replica has just computed them, so that it holds them now (`docs/adr/0012-a-miss-fills-the-cache.md`).

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::balance::chooser::Belief;
use crate::balance::slots::{SLOTS, Slot};

/// Full trust.
const FULL: u32 = 1 << 16;
/// The newest answer counts for one part in this many.
const MEMORY: u32 = 16;
/// Tokens below which a belief teaches nothing: bytes are not tokens, and a block more or less is chance.
const BELIEVED_MIN: u64 = 512;

/// The trust in every slot's replica.
#[derive(Debug)]
pub(crate) struct Trust {
    shares: [AtomicU32; SLOTS],
}

// === impl Trust ===

impl Trust {
    /// Full trust in everybody.
    pub(crate) fn new() -> Self {
        Self {
            shares: std::array::from_fn(|_| AtomicU32::new(FULL)),
        }
    }

    /// How many of so many believed tokens to expect.
    #[inline]
    pub(crate) fn of(&self, slot: Slot, tokens: u64) -> u64 {
        let share = self
            .shares
            .get(slot.number())
            .map_or(0, |share| share.load(Relaxed));
        tokens.saturating_mul(u64::from(share)) / u64::from(FULL)
    }

    /// A replica said how much it had.
    pub(crate) fn learn(&self, slot: Slot, belief: Belief) {
        let Some(share) = self
            .shares
            .get(slot.number())
            .filter(|_| belief.believed >= BELIEVED_MIN)
        else {
            return;
        };
        let had = belief.cached.min(belief.believed).saturating_mul(u64::from(FULL)) / belief.believed;
        // Two that learn at once may lose one of the two; the mean does not mind.
        let mean = share.load(Relaxed);
        let had = u32::try_from(had).unwrap_or(FULL);
        share.store(mean - mean.div_ceil(MEMORY) + had.div_ceil(MEMORY), Relaxed);
    }

    /// Somebody new has the slot.
    pub(crate) fn reset(&self, slot: Slot) {
        if let Some(share) = self.shares.get(slot.number()) {
            share.store(FULL, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::slots::Slots;

    #[test]
    fn trust_follows_what_replicas_say() {
        let trust = Trust::new();
        let slot = Slots::new().take().unwrap().0;
        let learn = |times: u32, cached: u64| {
            for _ in 0..times {
                trust.learn(
                    slot,
                    Belief {
                        believed: 1_000,
                        cached,
                    },
                );
            }
            trust.of(slot, 1_000)
        };
        assert_eq!(trust.of(slot, 1_000), 1_000, "full at first");
        assert!(
            (990..=1_000).contains(&learn(100, 2_000)),
            "more than believed is all of it"
        );
        assert!((480..520).contains(&learn(100, 500)), "half of it");
        assert!(learn(200, 0) < 5, "nothing at all");
        assert!(learn(100, 990) > 900, "and it is won back");
        trust.reset(slot);
        assert_eq!(trust.of(slot, 1_000), 1_000);
        trust.learn(
            slot,
            Belief {
                believed: 100,
                cached: 0,
            },
        );
        assert_eq!(trust.of(slot, 1_000), 1_000, "too few tokens to tell");
    }
}
