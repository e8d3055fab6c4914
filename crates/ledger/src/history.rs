//! A past made at once: what the writer would have stored of requests of long ago, without storing first what
//! retention would have deleted since.
//!
//! Each request is added to the finest cells; a bucket that is over is added to the next coarser one, all in
//! memory. A sheet is stored only if its tier is still kept. What the writer would not have folded yet is
//! left to it. For generators of test data; see `streamgauge simulate --fill`.

use record::{MetricRecord, UnixMillis};

use crate::cell::Sample;
use crate::dictionary::Dictionary;
use crate::engine::{Batch, Fold, Mark, Store};
use crate::error::AppendError;
use crate::fold::due_s;
use crate::retention::Keep;
use crate::rollup::{Bucket, Cube, TIERS, align_down, second_of};
use crate::sheet::{Cells, Sheet};

/// Sheets, and rows, that are stored in one transaction.
const SHEETS_MAX: usize = 256;
const ROWS_MAX: usize = 4_096;

/// Later than every bucket: the second after which no row id can lie.
const END_S: i64 = (1 << 42) / 1_000;

/// Requests of the past on their way into a ledger. Made by [`crate::Writer::history`].
#[derive(Debug)]
pub struct History<'w> {
    store: &'w mut Store,
    dictionary: Dictionary,
    towers: Vec<Tower>,
    sheets: Vec<Sheet>,
    rows: Vec<MetricRecord>,
    rows_from: UnixMillis,
}

/// The open buckets of a cube, one of each tier, finest first.
#[derive(Debug)]
struct Tower {
    cube: Cube,
    floors: Vec<Floor>,
    /// The cube whose cells are sums of its cells.
    sums: Option<Box<Self>>,
}

/// The open bucket of a tier.
#[derive(Debug)]
struct Floor {
    bucket: Bucket,
    cells: Cells,
    /// Buckets that end later are left to the writer to fold.
    due_s: i64,
    /// Buckets that begin earlier are not stored.
    kept_from_s: i64,
}

// === impl History ===

impl<'w> History<'w> {
    pub(crate) async fn begin(
        store: &'w mut Store,
        keep: &Keep,
        now: UnixMillis,
    ) -> Result<Self, AppendError> {
        let now_s = second_of(now);
        let rows_from_s = align_down(second_of(now.minus(keep.requests)), TIERS[0]);
        Ok(Self {
            dictionary: Dictionary::open(store).await?,
            store,
            towers: Cube::ADDED.map(|cube| Tower::new(cube, keep, now_s)).into(),
            sheets: Vec::new(),
            rows: Vec::new(),
            rows_from: UnixMillis(rows_from_s * 1_000),
        })
    }

    /// Adds a request. They come in the order of their start; one that is late is counted with the present
    /// bucket.
    ///
    /// # Errors
    /// The database refused: what was added is stored in part, and the ledger is of no use.
    pub async fn add(&mut self, record: &MetricRecord) -> Result<(), AppendError> {
        let ids = self.dictionary.ids_of(self.store, record).await?;
        let sample = Sample::from(record);
        let second = second_of(record.started_at);
        for tower in &mut self.towers {
            tower.advance(second, &mut self.sheets);
            if let Some(floor) = tower.floors.first_mut() {
                tower
                    .cube
                    .each_axes(record, &ids, |axes| floor.cells.add(axes, &sample));
            }
        }
        if record.started_at >= self.rows_from {
            self.rows.push(record.clone());
        }
        if self.sheets.len() >= SHEETS_MAX || self.rows.len() >= ROWS_MAX {
            self.store_some().await?;
        }
        Ok(())
    }

    /// Stores the rest, and how far every tier is folded.
    ///
    /// # Errors
    /// The database refused: the ledger is of no use.
    pub async fn finish(mut self) -> Result<(), AppendError> {
        let mut marks = Vec::new();
        for tower in &mut self.towers {
            tower.finish(&mut self.sheets, &mut marks);
        }
        self.store_some().await?;
        let fold = Fold {
            marks,
            ..Fold::default()
        };
        self.store.fold(&fold).await
    }

    async fn store_some(&mut self) -> Result<(), AppendError> {
        let fold = Fold {
            sheets: std::mem::take(&mut self.sheets),
            ..Fold::default()
        };
        self.store.fold(&fold).await?;
        let rows = std::mem::take(&mut self.rows);
        let entries = self.dictionary.entries(self.store, &rows).await?;
        self.store
            .append(Batch {
                records: &rows,
                rows: &entries,
                sheets: &[],
                pulse: None,
            })
            .await
    }
}

// === impl Tower ===

impl Tower {
    fn new(cube: Cube, keep: &Keep, now_s: i64) -> Self {
        let mut floors = Vec::new();
        let mut due = i64::MAX;
        for (place, seconds) in cube.tiers().iter().enumerate() {
            if place > 0 {
                due = due_s(*seconds, now_s, due);
            }
            floors.push(Floor {
                bucket: Bucket::of(cube, *seconds, 0),
                cells: Cells::new(cube),
                due_s: due,
                kept_from_s: i64::MIN,
            });
        }
        for place in 1..floors.len() {
            // As retention has it: what is not yet part of a coarser cell is kept, whatever its age.
            let coarser_s = floors[place].due_s;
            let finer = &mut floors[place - 1];
            finer.kept_from_s = keep.kept_from_s(cube, finer.bucket.seconds, now_s, coarser_s);
        }
        let sums = (cube == Cube::Route).then(|| Box::new(Self::new(Cube::Model, keep, now_s)));
        Self { cube, floors, sums }
    }

    /// Closes what is over at a second.
    fn advance(&mut self, second_s: i64, sheets: &mut Vec<Sheet>) {
        let Some(finest) = self.floors.first() else {
            return;
        };
        if second_s < finest.bucket.at_s.saturating_add(finest.bucket.seconds) {
            return;
        }
        if let Some(sums) = &mut self.sums {
            sums.advance(finest.bucket.at_s, sheets);
            if let Some(sum) = sums.floors.first_mut() {
                sum.cells.absorb(&finest.cells, |axes| axes.by_model());
            }
        }
        self.close(0, second_s, sheets);
    }

    /// Closes the open bucket of a floor, opens the one of a second, and adds what was closed to the floor
    /// above.
    fn close(&mut self, place: usize, second_s: i64, sheets: &mut Vec<Sheet>) {
        let Some(floor) = self.floors.get_mut(place) else {
            return;
        };
        let bucket = floor.bucket;
        floor.bucket = Bucket::of(self.cube, bucket.seconds, second_s);
        let cells = std::mem::replace(&mut floor.cells, Cells::new(self.cube));
        let over = place == 0 || bucket.at_s.saturating_add(bucket.seconds) <= floor.due_s;
        if cells.is_empty() || !over {
            return;
        }
        if bucket.at_s >= floor.kept_from_s {
            sheets.push(cells.sheet(bucket));
        }
        let above = |tower: &Self| tower.floors.get(place + 1).map(|floor| floor.bucket);
        if above(self).is_some_and(|above| bucket.at_s >= above.at_s + above.seconds) {
            self.close(place + 1, bucket.at_s, sheets);
        }
        if let Some(above) = self.floors.get_mut(place + 1) {
            above.cells.absorb(&cells, |axes| axes);
        }
    }

    /// Closes everything, from the finest tier up.
    fn finish(&mut self, sheets: &mut Vec<Sheet>, marks: &mut Vec<Mark>) {
        self.advance(END_S, sheets);
        for place in 1..self.floors.len() {
            self.close(place, END_S, sheets);
        }
        marks.extend(self.floors.iter().skip(1).map(|floor| Mark {
            cube: self.cube,
            seconds: floor.bucket.seconds,
            folded_until_s: floor.due_s,
        }));
        if let Some(sums) = &mut self.sums {
            sums.finish(sheets, marks);
        }
    }
}
