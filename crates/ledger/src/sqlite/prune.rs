//! Deletes what is past its time, in steps that hold the write lock for milliseconds.

use record::UnixMillis;
use sqlx::sqlite::SqliteConnection;

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

/// Free pages (4 KiB) that one step gives back to the file system. Measured: at most 22 ms.
const VACUUM_PAGES: i64 = 1_000;

/// One step, in the open transaction.
pub(super) async fn step(connection: &mut SqliteConnection, prune: &Prune) -> Result<Pruned, sqlx::Error> {
    let mut pruned = rows(connection, prune).await?;
    for (cube, seconds, until_s) in &prune.tiers {
        pruned.add(sheets(connection, *cube, *seconds, *until_s).await?);
    }
    let gone = sqlx::query("DELETE FROM pulse WHERE at_ms < ?1").bind(prune.pulses_until.0);
    pruned.rows += gone.execute(connection).await?.rows_affected();
    Ok(pruned)
}

/// Gives free pages back to the file system; outside of any transaction. Whether there are more.
pub(super) async fn shrink(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A few free pages are soon used again.
    if free_pages(connection).await? <= VACUUM_PAGES {
        return Ok(false);
    }
    sqlx::query("PRAGMA incremental_vacuum(1000)")
        .fetch_all(&mut *connection)
        .await?;
    Ok(free_pages(connection).await? > VACUUM_PAGES)
}

/// The oldest requests.
async fn rows(connection: &mut SqliteConnection, prune: &Prune) -> Result<Pruned, sqlx::Error> {
    let mut until_s = prune.rows_until_s;
    if let Some(max_bytes) = prune.max_bytes
        && used_bytes(connection).await? > max_bytes
    {
        until_s = until_s.max(after_oldest(connection, prune.minute_s).await?);
    }
    // Said before the rows are gone: readers then leave them alone, and nothing is counted half.
    set_kept_from(connection, 0, 0, until_s).await?;
    let deleted = sqlx::query(
        "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE id < ?1 ORDER BY id LIMIT ?2)",
    )
    .bind(first_id_at(UnixMillis(until_s * 1_000)))
    .bind(STEP_LEN)
    .execute(connection)
    .await?;
    let rows = deleted.rows_affected();
    Ok(Pruned {
        rows,
        // A full step means that there may be more.
        more: rows >= STEP_LEN.unsigned_abs(),
    })
}

/// The end of the minute of the last of the oldest rows, but never the present minute.
async fn after_oldest(connection: &mut SqliteConnection, minute_s: i64) -> Result<i64, sqlx::Error> {
    let (oldest,): (Option<i64>,) =
        sqlx::query_as("SELECT max(id) FROM (SELECT id FROM request ORDER BY id LIMIT ?1)")
            .bind(STEP_LEN)
            .fetch_one(connection)
            .await?;
    let after = oldest.map_or(0, |id| align_up(second_of(RowId(id).started_at()) + 1, TIERS[0]));
    Ok(after.min(minute_s))
}

/// The oldest sheets of a tier.
async fn sheets(
    connection: &mut SqliteConnection,
    cube: Cube,
    seconds: i64,
    until_s: i64,
) -> Result<Pruned, sqlx::Error> {
    set_kept_from(connection, seconds, cube.code(), until_s).await?;
    let oldest: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT at_s, length(cells) FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s < ?3 \
         ORDER BY at_s LIMIT ?4",
    )
    .bind(seconds)
    .bind(cube.code())
    .bind(until_s)
    .bind(SHEETS_MAX)
    .fetch_all(&mut *connection)
    .await?;
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
    let deleted = sqlx::query("DELETE FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s <= ?3")
        .bind(seconds)
        .bind(cube.code())
        .bind(last)
        .execute(connection)
        .await?;
    Ok(Pruned {
        rows: deleted.rows_affected(),
        more: within < oldest.len() || i64::try_from(within).is_ok_and(|len| len >= SHEETS_MAX),
    })
}

/// Moves the begin of what a tier holds; never back.
async fn set_kept_from(
    connection: &mut SqliteConnection,
    seconds: i64,
    cube: i64,
    kept_from_s: i64,
) -> Result<(), sqlx::Error> {
    if kept_from_s <= 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tier (seconds, cube, kept_from_s) VALUES (?1, ?2, ?3) \
         ON CONFLICT (seconds, cube) DO UPDATE SET kept_from_s = excluded.kept_from_s \
         WHERE excluded.kept_from_s > kept_from_s",
    )
    .bind(seconds)
    .bind(cube)
    .bind(kept_from_s)
    .execute(connection)
    .await?;
    Ok(())
}

/// Bytes of the pages that hold anything.
async fn used_bytes(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count")
        .fetch_one(&mut *connection)
        .await?;
    let (size,): (i64,) = sqlx::query_as("PRAGMA page_size")
        .fetch_one(&mut *connection)
        .await?;
    let used = pages.saturating_sub(free_pages(connection).await?);
    Ok(u64::try_from(used.saturating_mul(size)).unwrap_or(0))
}

async fn free_pages(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let (pages,): (i64,) = sqlx::query_as("PRAGMA freelist_count")
        .fetch_one(connection)
        .await?;
    Ok(pages)
}
