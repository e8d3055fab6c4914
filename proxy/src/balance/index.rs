//! Who holds which block: a table of bit masks in two generations, bounded by construction.
//!
//! A block goes into the current generation and is looked up in both. When the current one is full, the
//! older is emptied and takes its place: what nobody has used for a whole generation is forgotten, as a
//! replica's own cache forgets it. No list of uses, no timer, no lock for each entry, and all holders of a
//! block are known, not just one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::balance::slots::{Mask, SLOTS, Slot};

/// Bytes of one entry: key and mask, and a byte of the table's own.
const ENTRY_BYTES: usize = 8 + 32 + 1;
/// A table of the standard library is at most seven eighths full.
const FULL: (usize, usize) = (7, 8);
/// Fewest entries of a generation. Why this number: two prompts of the greatest length fit.
const ENTRIES_MIN: usize = 896;

/// The table. Its memory is taken at the first insert, and never grows.
#[derive(Debug)]
pub struct PrefixIndex {
    current: Table,
    previous: Table,
    generation_len_max: usize,
    /// How often a generation became full.
    turns: u64,
}

type Table = BlockMap<Mask>;

/// A map whose keys are hashes already and are not hashed again.
pub type BlockMap<V> = HashMap<u64, V, BuildHasherDefault<Unhashed>>;

/// How many leading blocks each slot holds.
#[derive(Clone, Debug)]
pub(crate) struct Matches {
    blocks: [u16; SLOTS],
}

/// Takes the key for its hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unhashed(u64);

// === impl PrefixIndex ===

impl PrefixIndex {
    /// An index that takes at most `bytes_max` bytes, in whole powers of two.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let buckets = (bytes_max / 2 / ENTRY_BYTES).max(1);
        let buckets = 1_usize << buckets.ilog2();
        Self {
            current: Table::default(),
            previous: Table::default(),
            generation_len_max: (buckets * FULL.0 / FULL.1).max(ENTRIES_MIN),
            turns: 0,
        }
    }

    /// The number of entries, of both generations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most entries that it ever holds.
    #[must_use]
    pub const fn len_max(&self) -> usize {
        self.generation_len_max * 2
    }

    /// How often the older generation was forgotten.
    #[must_use]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// For each slot of `among`, how many leading blocks of the chain its replica holds.
    ///
    /// Whoever holds a block holds those before it, so the holders only become fewer along the chain: each
    /// place where some of them end is found by halving, and most chains have one or two such places. A chain
    /// that nobody holds costs one look.
    pub(crate) fn matches(&self, blocks: &[u64], among: Mask) -> Matches {
        let mut matches = Matches { blocks: [0; SLOTS] };
        let (Some(first), Some(last)) = (blocks.first(), blocks.len().checked_sub(1)) else {
            return matches;
        };
        let begun = self.holders(*first, among);
        if begun.is_empty() {
            return matches;
        }
        let ended = blocks
            .get(last)
            .map_or(begun, |block| self.holders(*block, begun));
        matches.note(ended, blocks.len());
        self.narrow(blocks, (0, begun), (last, ended), &mut matches);
        matches
    }

    /// Finds where those end who hold the block at one place and not the block at a later one.
    fn narrow(&self, blocks: &[u64], from: (usize, Mask), to: (usize, Mask), matches: &mut Matches) {
        let leaving = from.1.without(to.1);
        if leaving.is_empty() {
            return;
        }
        let middle = usize::midpoint(from.0, to.0);
        let Some(block) = blocks.get(middle).filter(|_| middle > from.0) else {
            matches.note(leaving, to.0);
            return;
        };
        let middle = (middle, self.holders(*block, leaving).or(to.1));
        self.narrow(blocks, from, middle, matches);
        self.narrow(blocks, middle, to, matches);
    }

    /// A replica has computed these blocks. The chain is whole: a holder of a block holds those before it.
    pub(crate) fn insert(&mut self, blocks: &[u64], slot: Slot) {
        let holder = Mask::of(slot);
        self.make_room(blocks.len());
        for block in blocks {
            let mask = self.current.entry(*block).or_default();
            *mask = mask.or(holder);
        }
    }

    /// A replica does not hold these blocks.
    pub(crate) fn remove(&mut self, blocks: &[u64], slot: Slot) {
        let holder = Mask::of(slot);
        for block in blocks {
            for table in [&mut self.current, &mut self.previous] {
                if let Some(mask) = table.get_mut(block) {
                    *mask = mask.without(holder);
                }
            }
        }
    }

    /// Nobody holds anything under this slot any more. Walks the whole table: for a slot that gets a new
    /// owner, never on the way of a request.
    pub(crate) fn forget(&mut self, slot: Slot) {
        let holder = Mask::of(slot);
        for table in [&mut self.current, &mut self.previous] {
            table.retain(|_, mask| {
                *mask = mask.without(holder);
                !mask.is_empty()
            });
        }
    }

    /// Which of `among` hold the block.
    #[inline]
    fn holders(&self, block: u64, among: Mask) -> Mask {
        let fresh = self
            .current
            .get(&block)
            .map_or(Mask::default(), |mask| mask.and(among));
        if fresh == among {
            // The usual block of a popular prompt: one look.
            return fresh;
        }
        let aged = self
            .previous
            .get(&block)
            .map_or(Mask::default(), |mask| mask.and(among));
        fresh.or(aged)
    }

    fn make_room(&mut self, entries: usize) {
        if self.current.capacity() == 0 {
            // Both tables get their whole room at once: growing one would stop all requests for as long as
            // it is copied. Pages that were never written take no memory.
            self.current.reserve(self.generation_len_max);
            self.previous.reserve(self.generation_len_max);
        }
        if self.current.len() + entries > self.generation_len_max {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.clear();
            self.turns += 1;
        }
    }
}

// === impl Matches ===

impl Matches {
    /// Leading blocks that the slot's replica holds.
    pub(crate) fn of(&self, slot: Slot) -> usize {
        self.blocks
            .get(slot.number())
            .map_or(0, |blocks| usize::from(*blocks))
    }

    fn note(&mut self, slots: Mask, blocks: usize) {
        let blocks = u16::try_from(blocks).unwrap_or(u16::MAX);
        for number in slots.numbers() {
            if let Some(place) = self.blocks.get_mut(number) {
                *place = blocks;
            }
        }
    }
}

// === impl Unhashed ===

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests;
