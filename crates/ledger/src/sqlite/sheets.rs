//! Sheets of cells and what the tiers hold: reading them, adding them, putting them in order.

use sqlx::sqlite::SqliteConnection;

use crate::engine::Fold;
use crate::rollup::{Cube, Held, Slice, TierStates};
use crate::sheet::Sheet;

/// What every tier holds.
pub(super) async fn states(connection: &mut SqliteConnection) -> Result<TierStates, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT seconds, cube, kept_from_s, folded_until_s FROM tier")
            .fetch_all(connection)
            .await?;
    let mut states = TierStates::default();
    for (seconds, cube, kept_from_s, folded_until_s) in rows {
        let held = Held {
            kept_from_s,
            folded_until_s,
        };
        states.set(seconds, cube, held);
    }
    Ok(states)
}

/// The sheets of a slice with the begin of their bucket, in its order.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    slice: Slice,
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(SELECT)
        .bind(slice.seconds)
        .bind(slice.cube.code())
        .bind(slice.from_s)
        .bind(slice.to_s)
        .fetch_all(connection)
        .await
}

/// The text behind [`all`], for readers that take one row after the other.
pub(super) const SELECT: &str = "SELECT at_s, cells FROM sheet \
     WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3 AND at_s < ?4 ORDER BY at_s, instance, batch";

/// Begins of the buckets of a slice for which there is a sheet. Answered from the index alone.
pub(super) async fn begins(connection: &mut SqliteConnection, slice: Slice) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "SELECT DISTINCT at_s FROM sheet \
         WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3 AND at_s < ?4 ORDER BY at_s",
    )
    .bind(slice.seconds)
    .bind(slice.cube.code())
    .bind(slice.from_s)
    .bind(slice.to_s)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(at_s,)| at_s).collect())
}

/// Requests in the sheets of a slice.
pub(super) async fn count(connection: &mut SqliteConnection, slice: Slice) -> Result<u64, sqlx::Error> {
    let (requests,): (i64,) = sqlx::query_as(
        "SELECT coalesce(sum(requests), 0) FROM sheet \
         WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3 AND at_s < ?4",
    )
    .bind(slice.seconds)
    .bind(slice.cube.code())
    .bind(slice.from_s)
    .bind(slice.to_s)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(requests).unwrap_or(0))
}

/// Begin of the first bucket of a tier that is not before a moment.
pub(super) async fn first(
    connection: &mut SqliteConnection,
    cube: Cube,
    seconds: i64,
    from_s: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let (first,): (Option<i64>,) =
        sqlx::query_as("SELECT min(at_s) FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3")
            .bind(seconds)
            .bind(cube.code())
            .bind(from_s)
            .fetch_one(connection)
            .await?;
    Ok(first)
}

/// Adds sheets, in the open transaction. `batch` tells them from those of every other transaction.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    sheets: &[Sheet],
    batch: i64,
) -> Result<(), sqlx::Error> {
    for sheet in sheets {
        // One SQLite file has one writer: its instance is always 0.
        sqlx::query(
            "INSERT INTO sheet (seconds, cube, at_s, instance, batch, requests, cells) \
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)",
        )
        .bind(sheet.bucket.seconds)
        .bind(sheet.bucket.cube.code())
        .bind(sheet.bucket.at_s)
        .bind(batch)
        .bind(i64::try_from(sheet.requests).unwrap_or(i64::MAX))
        .bind(sheet.bytes.as_slice())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Puts sheets in order, in the open transaction.
pub(super) async fn fold(
    connection: &mut SqliteConnection,
    fold: &Fold,
    batch: i64,
) -> Result<(), sqlx::Error> {
    for bucket in &fold.emptied {
        sqlx::query("DELETE FROM sheet WHERE seconds = ?1 AND cube = ?2 AND at_s = ?3")
            .bind(bucket.seconds)
            .bind(bucket.cube.code())
            .bind(bucket.at_s)
            .execute(&mut *connection)
            .await?;
    }
    add(connection, &fold.sheets, batch).await?;
    for mark in &fold.marks {
        sqlx::query(
            "INSERT INTO tier (seconds, cube, folded_until_s) VALUES (?1, ?2, ?3) \
             ON CONFLICT (seconds, cube) DO UPDATE SET folded_until_s = excluded.folded_until_s",
        )
        .bind(mark.seconds)
        .bind(mark.cube.code())
        .bind(mark.folded_until_s)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
