//! Row ids: time, the proxy's number modulo 32, and a number that counts on.

use std::collections::HashSet;

use record::UnixMillis;

use crate::dictionary::Entry;
use crate::identifier::RowId;

/// Hands out row ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    instance: u8,
    next: u16,
}

// === impl Sequence ===

impl Sequence {
    /// Goes on after the newest stored row, whoever wrote it: any beginning would do.
    pub(super) fn new(instance: i32, newest: Option<RowId>) -> Self {
        Self {
            instance: u8::try_from(instance.rem_euclid(32)).unwrap_or(0),
            next: newest.map_or(0, |id| id.sequence().wrapping_add(1)),
        }
    }

    /// Ids for a batch.
    pub(super) fn ids(&mut self, entries: &[Entry<'_>]) -> Vec<RowId> {
        entries
            .iter()
            .map(|entry| self.id(entry.record.started_at))
            .collect()
    }

    /// Gives other ids to the rows whose id is taken, or is given twice in a batch of more than 65,536.
    pub(super) fn change(&mut self, ids: &mut [RowId], taken: &[i64]) {
        let mut used: HashSet<i64> = taken.iter().copied().collect();
        for id in ids {
            while !used.insert(id.0) {
                *id = self.id(id.started_at());
            }
        }
    }

    fn id(&mut self, started_at: UnixMillis) -> RowId {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        RowId::new(started_at, self.instance, sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ids_are_changed_and_no_other() {
        let at = UnixMillis(1_795_392_000_000);
        let mut sequence = Sequence::new(33, Some(RowId::new(at, 7, 41)));
        let mut ids = vec![sequence.id(at), sequence.id(at), sequence.id(at)];
        assert_eq!(
            ids[0],
            RowId::new(at, 1, 42),
            "33 is 1 modulo 32, and 41 was the last"
        );
        let before = ids.clone();
        sequence.change(&mut ids, &[before[1].0, RowId::new(at, 1, 45).0]);
        assert_eq!((ids[0], ids[2]), (before[0], before[2]));
        assert_eq!(ids[1], RowId::new(at, 1, 46), "45 was taken too");
    }
}
