//! The index against a plain model of it, its bound, and slots that change hands.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::balance::slots::Slots;

fn slots(len: usize) -> Vec<Slot> {
    let all = Slots::new();
    (0..len).map(|_| all.take().unwrap().0).collect()
}

fn all_of(slots: &[Slot]) -> Mask {
    slots.iter().fold(Mask::default(), |mut mask, slot| {
        mask.insert(*slot);
        mask
    })
}

/// The chain of a prompt: `branch` decides where it leaves the trunk that all share, at once for a multiple
/// of seven.
fn chain(branch: u64, len: usize) -> Vec<u64> {
    let shared = usize::try_from(branch % 7).unwrap();
    (0..len)
        .map(|nth| {
            let place = u64::try_from(nth).unwrap();
            let own = if nth < shared { 0 } else { branch << 32 };
            crate::balance::random::mixed(own | place)
        })
        .collect()
}

proptest! {
    /// While nothing is forgotten, the index says exactly who was given which prefix.
    #[test]
    fn matches_are_what_was_inserted(
        inserted in proptest::collection::vec((0_u64..20, 1_usize..20, 0_usize..6), 1..40),
        asked in (0_u64..20, 1_usize..25),
    ) {
        let slots = slots(6);
        let mut index = PrefixIndex::new(1 << 20);
        let mut holds: HashMap<usize, HashSet<u64>> = HashMap::new();
        for (branch, len, at) in inserted {
            let blocks = chain(branch, len);
            index.insert(&blocks, slots[at]);
            holds.entry(at).or_default().extend(blocks);
        }
        let blocks = chain(asked.0, asked.1);
        let matches = index.matches(&blocks, all_of(&slots));
        for (at, slot) in slots.iter().enumerate() {
            let none = HashSet::new();
            let given = holds.get(&at).unwrap_or(&none);
            let held = blocks.iter().take_while(|block| given.contains(block)).count();
            prop_assert_eq!(matches.of(*slot), held, "slot {}", at);
        }
    }
}

#[test]
fn memory_is_bounded_whatever_is_inserted() {
    let slots = slots(2);
    let mut index = PrefixIndex::new(200_000);
    assert!(
        index.len_max() * ENTRY_BYTES <= 200_000,
        "{} entries",
        index.len_max()
    );
    let capacity = {
        index.insert(&chain(1, 5), slots[0]);
        (index.current.capacity(), index.previous.capacity())
    };
    for branch in 0..5_000 {
        index.insert(
            &chain(branch * 7, 20),
            slots[usize::try_from(branch % 2).unwrap()],
        );
        assert!(index.len() <= index.len_max());
    }
    let now = (index.current.capacity(), index.previous.capacity());
    assert_eq!(now, capacity, "the tables never grow");
    assert!(index.turns() > 10, "old generations were forgotten");
}

#[test]
fn what_is_used_stays_and_what_is_not_goes() {
    let slots = slots(2);
    let mut index = PrefixIndex::new(200_000);
    let popular = chain(7, 10);
    let once = chain(14, 10);
    index.insert(&once, slots[0]);
    for branch in 100..3_000 {
        index.insert(&popular, slots[1]);
        index.insert(&chain(branch * 7, 10), slots[0]);
    }
    let both = all_of(&slots);
    assert_eq!(
        index.matches(&popular, both).of(slots[1]),
        10,
        "it was used all the time"
    );
    assert_eq!(
        index.matches(&once, both).of(slots[0]),
        0,
        "it was used once, long ago"
    );
}

#[test]
fn a_slot_that_changes_hands_remembers_nothing() {
    let slots = slots(3);
    let mut index = PrefixIndex::new(200_000);
    let blocks = chain(1, 10);
    for slot in &slots {
        index.insert(&blocks, *slot);
    }
    index.forget(slots[1]);
    let matches = index.matches(&blocks, all_of(&slots));
    assert_eq!(
        slots.iter().map(|slot| matches.of(*slot)).collect::<Vec<_>>(),
        [10, 0, 10]
    );
    index.forget(slots[0]);
    index.forget(slots[2]);
    assert!(index.is_empty(), "blocks that nobody holds are gone");
}

#[test]
fn a_miss_takes_back_what_was_wrong_and_no_more() {
    let slots = slots(2);
    let mut index = PrefixIndex::new(200_000);
    let blocks = chain(1, 10);
    index.insert(&blocks, slots[0]);
    index.insert(&blocks, slots[1]);
    index.remove(&blocks[4..], slots[0]);
    let matches = index.matches(&blocks, all_of(&slots));
    assert_eq!((matches.of(slots[0]), matches.of(slots[1])), (4, 10));
    let none = index.matches(&blocks, Mask::default());
    assert_eq!(none.of(slots[1]), 0, "who is not asked for is not told");
}
