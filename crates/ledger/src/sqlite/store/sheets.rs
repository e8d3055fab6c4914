//! Sheets of cells and what the tiers hold, for the writer: adding them, putting them in order.

use rusqlite::{Connection, params};

use crate::engine::Fold;
use crate::rollup::{Cube, Slice, TierStates};
use crate::sheet::Sheet;
use crate::sqlite::sheets::{SELECT, STATES, states_of};

/// What every tier holds.
pub(super) fn states(connection: &Connection) -> rusqlite::Result<TierStates> {
    let mut select = connection.prepare_cached(STATES)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(states_of(rows.collect::<Result<Vec<_>, _>>()?))
}

/// The sheets of a slice with the begin of their bucket, in its order.
pub(super) fn all(connection: &Connection, slice: Slice) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut select = connection.prepare_cached(SELECT)?;
    let values = params![slice.seconds, slice.cube.code(), slice.from_s, slice.to_s];
    let rows = select.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Begin of the first bucket of a tier that is not before a moment.
pub(super) fn first(
    connection: &Connection,
    cube: Cube,
    seconds: i64,
    from_s: i64,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(at_s) FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3")?
        .query_row(params![seconds, cube.code(), from_s], |row| row.get(0))
}

/// Adds sheets, in the open transaction. `batch` tells them from those of every other transaction.
pub(super) fn add(connection: &Connection, sheets: &[Sheet], batch: i64) -> rusqlite::Result<()> {
    if sheets.is_empty() {
        return Ok(());
    }
    // One SQLite file has one writer: its instance is always 0.
    let mut insert = connection.prepare_cached(
        "INSERT INTO sheet (seconds, cube, at_s, instance, batch, requests, cells) \
         VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)",
    )?;
    for sheet in sheets {
        let bucket = sheet.bucket;
        insert.execute(params![
            bucket.seconds,
            bucket.cube.code(),
            bucket.at_s,
            batch,
            i64::try_from(sheet.requests).unwrap_or(i64::MAX),
            sheet.bytes,
        ])?;
    }
    Ok(())
}

/// Puts sheets in order, in the open transaction.
pub(super) fn fold(connection: &Connection, fold: &Fold, batch: i64) -> rusqlite::Result<()> {
    for bucket in &fold.emptied {
        connection
            .prepare_cached("DELETE FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s = ?3")?
            .execute(params![bucket.seconds, bucket.cube.code(), bucket.at_s])?;
    }
    add(connection, &fold.sheets, batch)?;
    for mark in &fold.marks {
        connection
            .prepare_cached(
                "INSERT INTO tier (seconds, cube, folded_until_s) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (seconds, cube) DO UPDATE SET folded_until_s = excluded.folded_until_s",
            )?
            .execute(params![mark.seconds, mark.cube.code(), mark.folded_until_s])?;
    }
    Ok(())
}
