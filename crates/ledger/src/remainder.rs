//! What requests add to the sums, kept in memory while the ledger takes nothing and there is no more room for
//! their records. Bounded, and written in one transaction when the ledger takes again.

use std::collections::{BTreeMap, HashMap};

use record::{MetricRecord, UnixMillis};

use crate::cell::Sample;
use crate::dictionary::Dictionary;
use crate::engine::Store;
use crate::error::AppendError;
use crate::fold::by_model;
use crate::identifier::RowId;
use crate::rollup::{Axes, Bucket, Cube, TierStates, second_of};
use crate::sheet::{Cells, Sheet};

/// Cells kept at most. Why this number: a hundred series for more than an hour, and about 30 MB when all of
/// them hold distributions.
const CELLS_MAX: usize = 10_000;

/// The sums of requests whose records were given up.
#[derive(Debug, Default)]
pub struct Remainder {
    /// Numbers of our own for the strings: the ledger cannot be asked for its own now.
    names: Dictionary,
    /// The finest tier of each cube.
    buckets: BTreeMap<Bucket, Cells>,
    cells: usize,
    first: Option<MetricRecord>,
    requests: u64,
    latest: Option<UnixMillis>,
}

/// A remainder to which nothing is added any more. Only such a one is written: the attempt of which nobody
/// knows whether it came through and the next one are then about the same requests.
#[derive(Debug)]
pub struct ClosedRemainder(Remainder);

// === impl Remainder ===

impl Remainder {
    /// Counts a request; `false` when there is no room, and it is not counted anywhere.
    #[must_use]
    pub fn add(&mut self, record: &MetricRecord) -> bool {
        if self.cells >= CELLS_MAX {
            return false;
        }
        let ids = self.names.number(record);
        let sample = Sample::from(record);
        let second = second_of(RowId::first_at(record.started_at).started_at());
        for cube in Cube::ADDED {
            let Some(&seconds) = cube.tiers().first() else {
                continue;
            };
            cube.each_axes(record, &ids, |axes| {
                let bucket = self.buckets.entry(Bucket::of(cube, seconds, second));
                let cells = bucket.or_insert_with(|| Cells::new(cube));
                let before = cells.len();
                cells.add(axes, &sample);
                self.cells += cells.len() - before;
            });
        }
        self.first.get_or_insert_with(|| record.clone());
        self.requests += 1;
        self.latest = self.latest.max(Some(record.started_at));
        true
    }

    /// Requests in it.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests == 0
    }

    /// Ends it, to be written. What comes later is another one.
    #[must_use]
    pub const fn close(self) -> ClosedRemainder {
        ClosedRemainder(self)
    }
}

// === impl ClosedRemainder ===

impl ClosedRemainder {
    /// Requests in it.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.0.requests
    }

    /// The first of its requests.
    pub(crate) const fn first(&self) -> &[MetricRecord] {
        self.0.first.as_slice()
    }

    /// When the latest of its requests began.
    pub(crate) const fn latest(&self) -> Option<UnixMillis> {
        self.0.latest
    }

    /// The sheets that it adds to the ledger: to the finest tier, and to every coarser one that is closed
    /// over its bucket.
    pub(crate) async fn sheets(
        &self,
        store: &mut Store,
        dictionary: &mut Dictionary,
        states: &TierStates,
    ) -> Result<Vec<Sheet>, AppendError> {
        let names = self.0.names.numbered();
        let wanted: Vec<_> = names.iter().map(|(_, name)| name.clone()).collect();
        let numbers = dictionary.numbers(store, &wanted).await?;
        let numbers: HashMap<i64, i64> = names.iter().map(|(own, _)| *own).zip(numbers).collect();
        let translate = |own: i64| numbers.get(&own).copied().unwrap_or(0);
        let mut sums: BTreeMap<Bucket, Cells> = BTreeMap::new();
        for (finest, cells) in &self.0.buckets {
            for seconds in finest.cube.tiers() {
                if finest.at_s >= states.of(finest.cube, *seconds).folded_until_s {
                    break;
                }
                let bucket = Bucket::of(finest.cube, *seconds, finest.at_s);
                sums.entry(bucket)
                    .or_insert_with(|| Cells::new(bucket.cube))
                    .absorb(cells, |axes| renumbered(axes, translate));
            }
        }
        by_model(&mut sums);
        Ok(sums.iter().map(|(bucket, cells)| cells.sheet(*bucket)).collect())
    }
}

/// The same cell by the numbers of the ledger; 0 stays unknown.
fn renumbered(axes: Axes, translate: impl Fn(i64) -> i64) -> Axes {
    Axes {
        name: translate(axes.name),
        model: translate(axes.model),
        pool: translate(axes.pool),
        replica: translate(axes.replica),
        // A code, not the number of a name.
        endpoint: axes.endpoint,
    }
}
