//! The writer's side of the rollups: a batch into sheets, past buckets into coarser ones, many sheets of a
//! bucket into one.
//!
//! A batch reads no cell: it adds its own sheet to each bucket that it touches. Nothing that a rollback or a
//! crash would have to undo is kept in memory; how many sheets a bucket has is only a hint to merge them.

use std::collections::BTreeMap;

use foldhash::HashMap;

use crate::cell::Sample;
use crate::dictionary::Entry;
use crate::engine::{Fold, Mark, Store};
use crate::error::AppendError;
use crate::identifier::RowId;
use crate::rollup::{Bucket, Cube, TIERS, TierStates, align_down, second_of};
use crate::sheet::{Cells, Sheet};

/// How long a bucket is left open after its end at most. A request is limited to an hour, so that later
/// records are rare; they are added to every tier that is closed over them, which is right but costs more.
const LATE_MAX_S: i64 = 3_600;

/// Bytes of finer sheets that one batch reads to close buckets. Why this number: 10 ms of work. A ledger that
/// is filled with history catches up over many batches instead of stopping one.
const CLOSE_BYTES_MAX: usize = 4 << 20;

/// Sheets of one bucket before they are merged. Why this number: a reader then adds up at most this many for
/// the present minute, and the writer rewrites a bucket once in several seconds.
const SHEETS_MAX: u32 = 32;

/// Buckets whose sheets are counted. Beyond it the counts begin anew, which delays a merge.
const COUNTED_MAX: usize = 10_000;

/// The buckets of one tier that a batch touches.
struct Lane {
    cube: Cube,
    seconds: i64,
    folded_until_s: i64,
    /// Mostly one: the requests of a batch began within a few seconds.
    touched: Vec<(i64, Cells)>,
}

/// How many sheets were added to each bucket since it was last merged.
#[derive(Debug, Default)]
pub(crate) struct Folding {
    added: HashMap<Bucket, u32>,
    /// The last minute that is known to have a sheet because of a pulse.
    live_s: Option<i64>,
}

// === impl Lane ===

impl Lane {
    /// One for each tier of a cube.
    fn all(cube: Cube, states: &TierStates) -> Vec<Self> {
        let lane = |seconds: &i64| Self {
            cube,
            seconds: *seconds,
            folded_until_s: states.of(cube, *seconds).folded_until_s,
            touched: Vec::new(),
        };
        cube.tiers().iter().map(lane).collect()
    }

    /// The cells of the bucket in which a moment lies.
    fn at(&mut self, second: i64) -> &mut Cells {
        let at_s = align_down(second, self.seconds);
        let place = self.touched.iter().rposition(|(begin, _)| *begin == at_s);
        let place = place.unwrap_or_else(|| {
            self.touched.push((at_s, Cells::new(self.cube)));
            self.touched.len() - 1
        });
        &mut self.touched[place].1
    }

    /// What was touched. A request without tags touches no cell by tag: there is then no sheet.
    fn touched(self) -> impl Iterator<Item = (Bucket, Cells)> {
        let Self { cube, seconds, .. } = self;
        let added = self.touched.into_iter().filter(|(_, cells)| !cells.is_empty());
        added.map(move |(at_s, cells)| (Bucket { cube, seconds, at_s }, cells))
    }
}

// === impl Folding ===

impl Folding {
    /// The sheets of a batch: the finest tier always, and every coarser one that is closed over the start of
    /// the record.
    pub(crate) fn sheets(entries: &[Entry<'_>], states: &TierStates) -> Vec<Sheet> {
        let mut lanes = Cube::ADDED.map(|cube| Lane::all(cube, states));
        for Entry { record, ids } in entries {
            let sample = Sample::from(*record);
            // As the row's id says it, which clamps what no clock should say.
            let second = second_of(RowId::first_at(record.started_at).started_at());
            for of_cube in &mut lanes {
                for lane in of_cube {
                    if second >= lane.folded_until_s {
                        break;
                    }
                    let cube = lane.cube;
                    let cells = lane.at(second);
                    cube.each_axes(record, ids, |axes| cells.add(axes, &sample));
                }
            }
        }
        let mut buckets = lanes.into_iter().flatten().flat_map(Lane::touched).collect();
        by_model(&mut buckets);
        buckets
            .iter()
            .map(|(bucket, cells)| cells.sheet(*bucket))
            .collect()
    }

    /// Adds empty sheets that say, with a pulse, that a proxy is live, when its minute has none yet.
    pub(crate) fn add_live(&self, at_s: i64, sheets: &mut Vec<Sheet>) {
        let minute_s = align_down(at_s, TIERS[0]);
        if self.live_s == Some(minute_s) {
            return;
        }
        for cube in Cube::Route.with_sums() {
            let bucket = Bucket::of(*cube, TIERS[0], minute_s);
            if !sheets.iter().any(|sheet| sheet.bucket == bucket) {
                sheets.push(Cells::new(*cube).sheet(bucket));
            }
        }
    }

    /// Notes that a minute has sheets because of a pulse.
    pub(crate) fn lived(&mut self, at_s: i64) {
        self.live_s = Some(align_down(at_s, TIERS[0]));
    }

    /// Notes what was stored.
    pub(crate) fn stored(&mut self, sheets: &[Sheet]) {
        if self.added.len() > COUNTED_MAX {
            self.added.clear();
        }
        for sheet in sheets {
            *self.added.entry(sheet.bucket).or_default() += 1;
        }
    }

    /// Puts sheets in order before a batch: closes what is past at `now_s`, merges where sheets have piled
    /// up. Afterwards `states` say what is folded.
    pub(crate) async fn put_in_order(
        &mut self,
        store: &mut Store,
        states: &mut TierStates,
        now_s: i64,
    ) -> Result<(), AppendError> {
        for cube in Cube::ADDED {
            self.close(store, cube, states, now_s).await?;
        }
        let piled: Vec<Bucket> = self
            .added
            .iter()
            .filter(|(_, count)| **count >= SHEETS_MAX)
            .map(|(bucket, _)| *bucket)
            .collect();
        for bucket in piled {
            let stored = store.sheets(bucket.slice()).await?;
            let cells = sum_of(bucket, &stored)?;
            let fold = Fold {
                sheets: vec![cells.sheet(bucket)],
                emptied: vec![bucket],
                ..Fold::default()
            };
            store.fold(&fold).await?;
            self.added.remove(&bucket);
        }
        Ok(())
    }

    /// Makes the cells of past buckets from finer ones, a bounded number in one batch.
    async fn close(
        &mut self,
        store: &mut Store,
        cube: Cube,
        states: &mut TierStates,
        now_s: i64,
    ) -> Result<(), AppendError> {
        let mut read = 0;
        let mut finer_until_s = i64::MAX;
        for pair in cube.tiers().windows(2) {
            let &[finer, seconds] = pair else { continue };
            let before_s = states.of(cube, seconds).folded_until_s;
            let due_s = due_s(seconds, now_s, finer_until_s);
            let mut until_s = before_s;
            while until_s < due_s && read < CLOSE_BYTES_MAX {
                let mut fold = Fold::default();
                until_s = match store.first_sheet(cube, finer, until_s).await? {
                    Some(at_s) if at_s < due_s => {
                        let bucket = Bucket::of(cube, seconds, at_s);
                        for cube in cube.with_sums() {
                            let bucket = Bucket {
                                cube: *cube,
                                ..bucket
                            };
                            let stored = store.sheets(bucket.slice_of(finer)).await?;
                            read += stored.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
                            let cells = merge(finer, bucket, &stored, &mut fold)?;
                            fold.sheets.push(cells.sheet(bucket));
                        }
                        bucket.at_s + seconds
                    }
                    // Nothing began in all that time.
                    _ => due_s,
                };
                fold.marks.extend(cube.with_sums().iter().map(|cube| Mark {
                    cube: *cube,
                    seconds,
                    folded_until_s: until_s,
                }));
                store.fold(&fold).await?;
                for cube in cube.with_sums() {
                    states.set_folded_until(*cube, seconds, until_s);
                }
                self.added.retain(|added, _| {
                    !cube.with_sums().contains(&added.cube) || added.seconds != finer || added.at_s >= until_s
                });
            }
            finer_until_s = until_s;
        }
        Ok(())
    }
}

/// How far a tier can be folded at `now_s`, when the next finer one is folded until `finer_until_s`.
pub(crate) fn due_s(seconds: i64, now_s: i64, finer_until_s: i64) -> i64 {
    let past_s = now_s.saturating_sub(seconds.min(LATE_MAX_S));
    align_down(past_s.min(finer_until_s), seconds)
}

/// The cells by model are the sums of those by route, which is less work than adding each request to both.
pub(crate) fn by_model(buckets: &mut BTreeMap<Bucket, Cells>) {
    let mut sums = Vec::new();
    for (bucket, cells) in buckets.iter().filter(|(bucket, _)| bucket.cube == Cube::Route) {
        let mut sum = Cells::new(Cube::Model);
        sum.absorb(cells, |axes| axes.by_model());
        let bucket = Bucket {
            cube: Cube::Model,
            ..*bucket
        };
        sums.push((bucket, sum));
    }
    buckets.extend(sums);
}

/// The sum of stored sheets of a tier that lie in a bucket. Where several belong to one bucket of that tier,
/// one takes their place.
fn merge(
    seconds: i64,
    bucket: Bucket,
    stored: &[(i64, Vec<u8>)],
    fold: &mut Fold,
) -> Result<Cells, AppendError> {
    let mut sum = Cells::new(bucket.cube);
    for group in stored.chunk_by(|(a, _), (b, _)| a == b) {
        let [(at_s, first), more @ ..] = group else {
            continue;
        };
        let part = Bucket {
            at_s: *at_s,
            seconds,
            ..bucket
        };
        if more.is_empty() {
            sum.merge(part, first).ok_or(AppendError::Cell)?;
            continue;
        }
        let cells = sum_of(part, group)?;
        fold.emptied.push(part);
        fold.sheets.push(cells.sheet(part));
        if sum.is_empty() {
            sum = cells;
        } else {
            sum.absorb(&cells, |axes| axes);
        }
    }
    Ok(sum)
}

/// The sum of stored sheets of one bucket.
fn sum_of(bucket: Bucket, stored: &[(i64, Vec<u8>)]) -> Result<Cells, AppendError> {
    let mut cells = Cells::new(bucket.cube);
    for (_, bytes) in stored {
        cells.merge(bucket, bytes).ok_or(AppendError::Cell)?;
    }
    Ok(cells)
}
