//! The writer's side of the rollups: a batch into cells, and past buckets into coarser ones, all in the open
//! transaction. Nothing is kept in memory between batches, so a rollback or a crash leaves nothing to repair.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe};

use crate::cell::{Cell, Sample};
use crate::dictionary::Entry;
use crate::error::AppendError;
use crate::identifier::RowId;
use crate::rollup::{Axes, Bucket, Cube, TierStates, align_down, second_of, set_folded_until};

/// Cells of one statement, largest first; as for rows, few sizes keep the texts prepared.
const CELLS: [usize; 3] = [256, 16, 1];

/// Values of one cell.
const COLUMNS_LEN: usize = 11;

/// How long a bucket is left open after its end at most. A request is limited to an hour, so that later
/// records are rare; they are added to every tier that is closed over them, which is right but costs more.
const LATE_MAX_S: i64 = 3_600;

/// Finer cells that one batch reads to close buckets. In steady traffic an hour of 80 replicas is 480 of
/// them; a ledger that is filled with history catches up over many batches instead of stopping one.
const CLOSE_CELLS_MAX: usize = 5_000;

/// Texts of the upserts.
#[derive(Debug)]
pub(crate) struct Folding {
    texts: [Arc<str>; CELLS.len()],
}

type Dirty = BTreeMap<Bucket, HashMap<Axes, Cell>>;

// === impl Folding ===

impl Folding {
    pub(crate) fn new() -> Self {
        let row = format!("({})", ["?"; COLUMNS_LEN].join(","));
        let text = |cells: usize| {
            let values = vec![row.as_str(); cells].join(",");
            // The whole cell is written, not an increment: writing it twice changes nothing.
            Arc::from(format!(
                "INSERT INTO rollup (seconds, cube, at_s, name_id, model_id, pool_id, replica_id, endpoint, \
                 instance, requests, cell) VALUES {values} \
                 ON CONFLICT DO UPDATE SET requests = excluded.requests, cell = excluded.cell"
            ))
        };
        Self {
            texts: CELLS.map(text),
        }
    }

    /// Adds a batch to its cells, then closes what is past. `now_s` is the latest second that is known.
    pub(crate) async fn fold(
        &self,
        connection: &mut SqliteConnection,
        entries: &[Entry<'_>],
        now_s: i64,
    ) -> Result<(), AppendError> {
        let states = TierStates::read(connection).await?;
        for (bucket, cells) in gather(entries, &states) {
            let cells = self.merged(connection, bucket, cells).await?;
            self.write(connection, bucket, &cells).await?;
        }
        for cube in Cube::ALL {
            self.close(connection, cube, &states, now_s).await?;
        }
        Ok(())
    }

    /// The stored cells of a bucket with a batch added to them; only those that the batch touches.
    async fn merged(
        &self,
        connection: &mut SqliteConnection,
        bucket: Bucket,
        mut cells: HashMap<Axes, Cell>,
    ) -> Result<HashMap<Axes, Cell>, AppendError> {
        let mut names: Vec<i64> = cells.keys().map(|axes| axes.name).collect();
        names.sort_unstable();
        names.dedup();
        let names = serde_json::to_string(&names).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let stored: Vec<(i64, i64, i64, i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT name_id, model_id, pool_id, replica_id, endpoint, cell FROM rollup \
             WHERE seconds = ?1 AND cube = ?2 AND at_s = ?3 AND name_id IN (SELECT value FROM json_each(?4)) \
             AND instance = 0",
        )
        .bind(bucket.seconds)
        .bind(bucket.cube.code())
        .bind(bucket.at_s)
        .bind(names)
        .fetch_all(connection)
        .await?;
        for (name, model, pool, replica, endpoint, bytes) in stored {
            let axes = Axes {
                name,
                model,
                pool,
                replica,
                endpoint,
            };
            if let Some(cell) = cells.get_mut(&axes) {
                cell.merge(&Cell::decode(&bytes).ok_or(AppendError::Cell)?);
            }
        }
        Ok(cells)
    }

    async fn write(
        &self,
        connection: &mut SqliteConnection,
        bucket: Bucket,
        cells: &HashMap<Axes, Cell>,
    ) -> Result<(), AppendError> {
        let mut sorted: Vec<(&Axes, &Cell)> = cells.iter().collect();
        sorted.sort_unstable_by_key(|(axes, _)| **axes);
        let mut rest = sorted.as_slice();
        for (len, text) in CELLS.into_iter().zip(&self.texts) {
            while let Some((chunk, after)) = rest.split_at_checked(len) {
                rest = after;
                let mut arguments = SqliteArguments::default();
                arguments.reserve(len * COLUMNS_LEN, 0);
                for (axes, cell) in chunk {
                    bind(&mut arguments, bucket, axes, cell).map_err(sqlx::Error::Encode)?;
                }
                // The text is made of our own column names and question marks.
                sqlx::query_with(AssertSqlSafe(Arc::clone(text)), arguments)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes the cells of past buckets from finer ones, a bounded number in one batch.
    async fn close(
        &self,
        connection: &mut SqliteConnection,
        cube: Cube,
        states: &TierStates,
        now_s: i64,
    ) -> Result<(), AppendError> {
        let mut read = 0;
        let mut finer_until_s = i64::MAX;
        for pair in cube.tiers().windows(2) {
            let &[finer, seconds] = pair else { continue };
            let before_s = states.of(cube, seconds).folded_until_s;
            let past_s = now_s.saturating_sub(seconds.min(LATE_MAX_S));
            let due_s = align_down(past_s.min(finer_until_s), seconds);
            let mut until_s = before_s;
            while until_s < due_s && read < CLOSE_CELLS_MAX {
                until_s = match first_cell(connection, cube, finer, until_s).await? {
                    Some(at_s) if at_s < due_s => {
                        let bucket = Bucket::of(cube, seconds, at_s);
                        let (cells, count) = cells_of(connection, bucket, finer).await?;
                        self.write(connection, bucket, &cells).await?;
                        read += count;
                        bucket.at_s + seconds
                    }
                    // Nothing began in all that time.
                    _ => due_s,
                };
            }
            if until_s > before_s {
                set_folded_until(connection, cube, seconds, until_s).await?;
            }
            finer_until_s = until_s;
        }
        Ok(())
    }
}

/// The cells of a batch: the finest tier always, and every coarser one that is closed over the start of the
/// record.
fn gather(entries: &[Entry<'_>], states: &TierStates) -> Dirty {
    let mut dirty = Dirty::new();
    for Entry { record, ids } in entries {
        let sample = Sample::from(*record);
        // As the row's id says it, which clamps what no clock should say.
        let second = second_of(RowId::first_at(record.started_at).started_at());
        for cube in Cube::ALL {
            let axes = cube.axes(record, ids);
            for seconds in cube.tiers() {
                if second < states.of(cube, *seconds).folded_until_s {
                    let bucket = Bucket::of(cube, *seconds, second);
                    dirty
                        .entry(bucket)
                        .or_default()
                        .entry(axes)
                        .or_default()
                        .add(&sample);
                }
            }
        }
    }
    dirty
}

/// The sums of a bucket's finer cells, and how many those are.
async fn cells_of(
    connection: &mut SqliteConnection,
    bucket: Bucket,
    finer: i64,
) -> Result<(HashMap<Axes, Cell>, usize), AppendError> {
    let stored: Vec<(i64, i64, i64, i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT name_id, model_id, pool_id, replica_id, endpoint, cell FROM rollup \
         WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3 AND at_s < ?4 AND instance = 0",
    )
    .bind(finer)
    .bind(bucket.cube.code())
    .bind(bucket.at_s)
    .bind(bucket.at_s + bucket.seconds)
    .fetch_all(connection)
    .await?;
    let count = stored.len();
    let mut cells: HashMap<Axes, Cell> = HashMap::new();
    for (name, model, pool, replica, endpoint, bytes) in stored {
        let axes = Axes {
            name,
            model,
            pool,
            replica,
            endpoint,
        };
        cells
            .entry(axes)
            .or_default()
            .merge(&Cell::decode(&bytes).ok_or(AppendError::Cell)?);
    }
    Ok((cells, count))
}

/// Begin of the first cell of a tier that is not before a moment.
async fn first_cell(
    connection: &mut SqliteConnection,
    cube: Cube,
    seconds: i64,
    from_s: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let (first,): (Option<i64>,) =
        sqlx::query_as("SELECT min(at_s) FROM rollup WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3")
            .bind(seconds)
            .bind(cube.code())
            .bind(from_s)
            .fetch_one(connection)
            .await?;
    Ok(first)
}

fn bind(
    arguments: &mut SqliteArguments,
    bucket: Bucket,
    axes: &Axes,
    cell: &Cell,
) -> Result<(), sqlx::error::BoxDynError> {
    for number in [
        bucket.seconds,
        bucket.cube.code(),
        bucket.at_s,
        axes.name,
        axes.model,
        axes.pool,
        axes.replica,
        axes.endpoint,
        // One SQLite file has one writer: its instance is always 0.
        0,
        i64::try_from(cell.requests).unwrap_or(i64::MAX),
    ] {
        arguments.add(number)?;
    }
    arguments.add(cell.encode())
}
