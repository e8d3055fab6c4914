//! Cells for a question, by group and by bucket of time.

use std::collections::HashMap;
use std::time::Duration;

use record::UnixMillis;
use record::units::duration_ms_i64;
use sqlx::sqlite::SqliteConnection;

use super::cells::{Slice, add_cells, cube_for};
use super::cover::{Source, cover};
use super::scan::scan;
use super::selection::Selection;
use super::session::Session;
use crate::cell::Cell;
use crate::error::QueryError;
use crate::identifier::RowId;
use crate::question::Query;
use crate::rollup::{Cube, TierStates, align_up};
use crate::words::Dimension;

/// How requests are put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouping {
    /// The dimension whose values are kept apart.
    pub(super) by: Option<Dimension>,
    /// The width of the buckets of time; `None` puts all times together.
    pub(super) step: Option<Duration>,
}

/// The cells of an answer.
#[derive(Debug)]
pub(super) struct Gathered {
    /// By value of the dimension and begin of the bucket.
    pub(super) cells: HashMap<(Option<i64>, UnixMillis), Cell>,
    /// The window that was really covered.
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

// === impl Grouping ===

impl Grouping {
    /// Begin of the bucket of a moment; 0 when times are not kept apart.
    pub(super) fn bucket(self, moment: UnixMillis) -> UnixMillis {
        let step_ms = self.step.map_or(0, duration_ms_i64);
        if step_ms == 0 {
            return UnixMillis(0);
        }
        UnixMillis(moment.0 - moment.0.rem_euclid(step_ms))
    }
}

// === impl Gathered ===

impl Gathered {
    /// The cell of a group and a bucket.
    pub(super) fn cell(&mut self, value: Option<i64>, bucket: UnixMillis) -> &mut Cell {
        self.cells.entry((value, bucket)).or_default()
    }
}

/// Gathers everything that a question is about: from cells where they tell enough, else from the rows.
pub(super) async fn gather(
    session: &mut Session,
    query: &Query,
    grouping: Grouping,
) -> Result<Gathered, QueryError> {
    let mut gathered = Gathered {
        cells: HashMap::new(),
        from: query.from,
        to: query.to,
    };
    if query.is_empty() {
        return Ok(gathered);
    }
    let connection = session.connection();
    let selection = Selection::new(connection, &query.filter).await?;
    let states = TierStates::read(connection).await?;
    let cube = cube_for(&query.filter, grouping.by);
    let step_s = grouping.step.map(|step| duration_ms_i64(step) / 1_000);
    let open_end = open_end(connection, query.to, cube).await?;
    let cover = cover(query.from.max(UnixMillis(0)), open_end, cube, step_s, &states);
    for piece in &cover.pieces {
        match (piece.source, cube) {
            (Source::Tier(seconds), Some(cube)) => {
                let slice = Slice {
                    cube,
                    seconds,
                    from: piece.from,
                    to: piece.to,
                };
                add_cells(connection, &selection, slice, grouping, &mut gathered).await?;
            }
            _ => {
                let window = (piece.from, piece.to);
                scan(connection, &selection, window, grouping, &mut gathered).await?;
            }
        }
    }
    gathered.from = cover.from;
    if open_end == query.to {
        gathered.to = cover.to;
    }
    Ok(gathered)
}

/// The end of the window, or the end of the finest cell over it when nothing that is stored began later.
/// So a window up to now is answered from cells to its very end, and is as exact.
async fn open_end(
    connection: &mut SqliteConnection,
    to: UnixMillis,
    cube: Option<Cube>,
) -> Result<UnixMillis, QueryError> {
    let Some(finest) = cube.and_then(|cube| cube.tiers().first()) else {
        return Ok(to);
    };
    let (newest,): (Option<i64>,) = sqlx::query_as("SELECT max(id) FROM request")
        .fetch_one(connection)
        .await?;
    match newest {
        Some(newest) if RowId(newest).started_at() < to => Ok(UnixMillis(align_up(to.0, finest * 1_000))),
        _ => Ok(to),
    }
}
