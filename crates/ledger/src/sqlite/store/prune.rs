//! Deletes what is past its time, in steps that hold the write lock for milliseconds.

use record::UnixMillis;
use rusqlite::{Connection, Params, params};

use crate::columns::first_id_at;
use crate::identifier::RowId;
use crate::retention::{Prune, Pruned};
use crate::rollup::{Cube, TIERS, align_up, second_of};

/// Rows that one step deletes at most. Measured: the longest lock of a step of 5,000 rows is 13 ms.
const STEP_LEN: i64 = 5_000;

/// Sheets of one tier that one step deletes at most, and their bytes. Why these numbers: freeing a page takes
/// about 5 us, so that a step stays below 20 ms.
const SHEETS_MAX: i64 = 1_000;
const SHEET_BYTES_MAX: i64 = 16 << 20;

/// Bytes of free pages that one step gives back to the file system. Measured: at most 22 ms.
const VACUUM_BYTES: i64 = 4 << 20;

/// Bytes of free pages that are not worth a step: they are soon used again.
const SPARE_BYTES: i64 = 1 << 20;

/// One step, in the open transaction.
pub(super) fn step(connection: &Connection, prune: &Prune) -> rusqlite::Result<Pruned> {
    let mut pruned = rows(connection, prune)?;
    for (cube, seconds, until_s) in &prune.tiers {
        pruned.add(sheets(connection, *cube, *seconds, *until_s)?);
    }
    pruned.rows += delete(
        connection,
        "DELETE FROM pulse WHERE at_ms < ?1",
        [prune.pulses_until.0],
    )?;
    Ok(pruned)
}

/// Gives free pages back to the file system; outside of any transaction. Whether there are more.
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let page_size = number(connection, "PRAGMA page_size")?.max(1);
    let spare = SPARE_BYTES / page_size;
    if free_pages(connection)? <= spare {
        return Ok(false);
    }
    // A pragma takes no bound values; a number cannot be anything else.
    let pages = VACUUM_BYTES / page_size;
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))?;
    Ok(free_pages(connection)? > spare)
}

/// The oldest requests.
fn rows(connection: &Connection, prune: &Prune) -> rusqlite::Result<Pruned> {
    let mut until_s = prune.rows_until_s;
    if let Some(max_bytes) = prune.max_bytes
        && used_bytes(connection)? > max_bytes
    {
        until_s = until_s.max(after_oldest(connection, prune.minute_s)?);
    }
    // Said before the rows are gone: readers then leave them alone, and nothing is counted half.
    set_kept_from(connection, 0, 0, until_s)?;
    let rows = delete(
        connection,
        "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE id < ?1 ORDER BY id LIMIT ?2)",
        params![first_id_at(UnixMillis(until_s * 1_000)), STEP_LEN],
    )?;
    Ok(Pruned {
        rows,
        // A full step means that there may be more.
        more: rows >= STEP_LEN.unsigned_abs(),
    })
}

/// The end of the minute of the last of the oldest rows, but never the present minute.
fn after_oldest(connection: &Connection, minute_s: i64) -> rusqlite::Result<i64> {
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM (SELECT id FROM request ORDER BY id LIMIT ?1)")?
        .query_row([STEP_LEN], |row| row.get(0))?;
    let after = oldest.map_or(0, |id| align_up(second_of(RowId(id).started_at()) + 1, TIERS[0]));
    Ok(after.min(minute_s))
}

/// The oldest sheets of a tier.
fn sheets(connection: &Connection, cube: Cube, seconds: i64, until_s: i64) -> rusqlite::Result<Pruned> {
    set_kept_from(connection, seconds, cube.code(), until_s)?;
    let oldest: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT at_s, length(cells) FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s < ?3 \
             ORDER BY at_s LIMIT ?4",
        )?
        .query_map(params![seconds, cube.code(), until_s, SHEETS_MAX], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut bytes = 0;
    let within = oldest
        .iter()
        .take_while(|(_, len)| {
            let fits = bytes < SHEET_BYTES_MAX;
            bytes += len;
            fits
        })
        .count();
    let Some((last, _)) = within.checked_sub(1).and_then(|at| oldest.get(at)) else {
        return Ok(Pruned::default());
    };
    let rows = delete(
        connection,
        "DELETE FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s <= ?3",
        params![seconds, cube.code(), last],
    )?;
    Ok(Pruned {
        rows,
        more: within < oldest.len() || i64::try_from(within).is_ok_and(|len| len >= SHEETS_MAX),
    })
}

/// Moves the begin of what a tier holds; never back.
fn set_kept_from(connection: &Connection, seconds: i64, cube: i64, kept_from_s: i64) -> rusqlite::Result<()> {
    if kept_from_s <= 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO tier (seconds, cube, kept_from_s) VALUES (?1, ?2, ?3) \
             ON CONFLICT (seconds, cube) DO UPDATE SET kept_from_s = excluded.kept_from_s \
             WHERE excluded.kept_from_s > kept_from_s",
        )?
        .execute(params![seconds, cube, kept_from_s])?;
    Ok(())
}

/// Bytes of the pages that hold anything.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let size = number(connection, "PRAGMA page_size")?;
    let used = number(connection, "PRAGMA page_count")?.saturating_sub(free_pages(connection)?);
    Ok(u64::try_from(used.saturating_mul(size)).unwrap_or(0))
}

fn free_pages(connection: &Connection) -> rusqlite::Result<i64> {
    number(connection, "PRAGMA freelist_count")
}

fn number(connection: &Connection, text: &'static str) -> rusqlite::Result<i64> {
    connection.query_row(text, [], |row| row.get(0))
}

fn delete(connection: &Connection, text: &'static str, values: impl Params) -> rusqlite::Result<u64> {
    let rows = connection.prepare_cached(text)?.execute(values)?;
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}
