//! The places of replicas in the prefix index: numbers from 0 to 255, and sets of them.

use parking_lot::Mutex;

/// A replica's place in the prefix index. It is the replica's for as long as its cache may hold what the
/// index says; a replica that comes back after a restart gets another one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Slot(u8);

/// Number of slots. Why this number: a mask of four words is what a cache line holds beside its key, and a
/// pool of more replicas has more than one router.
pub(crate) const SLOTS: usize = 256;

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mask([u64; 4]);

/// Who has which slot. A slot that was given back waits as long as possible before it is given again.
#[derive(Debug)]
pub(crate) struct Slots(Mutex<Lists>);

#[derive(Debug)]
struct Lists {
    /// Slots that were given back, the longest ago first.
    returned: std::collections::VecDeque<u8>,
    /// The first slot that was never given, if there is one.
    next: Option<u8>,
}

// === impl Slot ===

impl Slot {
    /// Its number, 0 to 255.
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

// === impl Slots ===

impl Slots {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Lists {
            returned: std::collections::VecDeque::new(),
            next: Some(0),
        }))
    }

    /// A slot, and whether somebody had it before: then the index must forget it first. `None` when all are
    /// taken.
    pub(crate) fn take(&self) -> Option<(Slot, bool)> {
        let mut lists = self.0.lock();
        if let Some(next) = lists.next {
            lists.next = next.checked_add(1);
            return Some((Slot(next), false));
        }
        lists.returned.pop_front().map(|number| (Slot(number), true))
    }

    /// The replica is gone. Once for each [`Slots::take`].
    pub(crate) fn give_back(&self, slot: Slot) {
        let mut lists = self.0.lock();
        debug_assert!(!lists.returned.contains(&slot.0), "a slot is given back once");
        lists.returned.push_back(slot.0);
    }
}

// === impl Mask ===

impl Mask {
    /// The set of one slot.
    pub(crate) fn of(slot: Slot) -> Self {
        let mut mask = Self::default();
        mask.insert(slot);
        mask
    }

    pub(crate) fn insert(&mut self, slot: Slot) {
        let (word, bit) = place(slot);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        self.zip(other, |left, right| left & right)
    }

    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        self.zip(other, |left, right| left | right)
    }

    #[inline]
    pub(crate) fn without(self, other: Self) -> Self {
        self.zip(other, |left, right| left & !right)
    }

    /// The numbers in the set, ascending.
    pub(crate) fn numbers(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                if word == 0 {
                    return None;
                }
                let bit = usize::try_from(word.trailing_zeros()).unwrap_or(0);
                word &= word - 1;
                Some(at * 64 + bit)
            })
        })
    }

    #[inline]
    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([join(a, e), join(b, f), join(c, g), join(d, h)])
    }
}

fn place(slot: Slot) -> (usize, u64) {
    (usize::from(slot.0 >> 6), 1_u64 << (slot.0 & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_given_once_and_reused_last() {
        let slots = Slots::new();
        let taken: Vec<_> = (0..SLOTS).map(|_| slots.take().unwrap()).collect();
        assert!(taken.iter().all(|(_, used)| !used), "all are new");
        assert_eq!(slots.take(), None, "256 and no more");
        slots.give_back(taken[200].0);
        slots.give_back(taken[3].0);
        assert_eq!(
            slots.take(),
            Some((taken[200].0, true)),
            "the longest unused first"
        );
        assert_eq!(slots.take(), Some((taken[3].0, true)));
    }

    #[test]
    fn masks_are_sets() {
        let numbers = [0, 63, 64, 127, 200, 255];
        let mut mask = Mask::default();
        assert!(mask.is_empty());
        for number in numbers {
            mask.insert(Slot(number));
        }
        assert_eq!(mask.numbers().collect::<Vec<_>>(), numbers.map(usize::from));
        let rest = mask.without(Mask::of(Slot(64)));
        assert_eq!(rest.numbers().collect::<Vec<_>>(), [0, 63, 127, 200, 255]);
        assert_eq!(rest.or(Mask::of(Slot(64))), mask);
        assert_eq!(mask.and(Mask::of(Slot(255))), Mask::of(Slot(255)));
    }
}
