//! Sheets of cells and what the tiers hold: a proxy reads, adds and folds its own; readers see those of all.

use sqlx::postgres::PgConnection;

use crate::engine::Fold;
use crate::rollup::{Cube, Held, Slice, TierStates};
use crate::sheet::Sheet;

/// What the tiers hold of one proxy's requests.
pub(super) async fn states(connection: &mut PgConnection, instance: i32) -> Result<TierStates, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT seconds::bigint, cube::bigint, kept_from_s, folded_until_s FROM tier WHERE instance = $1",
    )
    .bind(instance)
    .fetch_all(connection)
    .await?;
    Ok(states_of(rows))
}

/// What the tiers hold of every proxy's requests.
pub(super) async fn common_states(connection: &mut PgConnection) -> Result<TierStates, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT seconds::bigint, cube::bigint, max(kept_from_s), min(folded_until_s) \
         FROM tier GROUP BY seconds, cube",
    )
    .fetch_all(connection)
    .await?;
    Ok(states_of(rows))
}

fn states_of(rows: Vec<(i64, i64, i64, i64)>) -> TierStates {
    let mut states = TierStates::default();
    for (seconds, cube, kept_from_s, folded_until_s) in rows {
        let held = Held {
            kept_from_s,
            folded_until_s,
        };
        states.set(seconds, cube, held);
    }
    states
}

/// The sheets of one proxy in a slice with the begin of their bucket, in its order.
pub(super) async fn of_instance(
    connection: &mut PgConnection,
    instance: i32,
    slice: Slice,
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT at_s, cells FROM sheet WHERE seconds = $1 AND cube = $2 AND at_s >= $3 AND at_s < $4 \
         AND instance = $5 ORDER BY at_s, batch",
    )
    .bind(slice.seconds)
    .bind(slice.cube.code())
    .bind(slice.from_s)
    .bind(slice.to_s)
    .bind(instance)
    .fetch_all(connection)
    .await
}

/// The text for the sheets of all proxies in a slice.
pub(super) const ALL: &str = "SELECT at_s, cells FROM sheet \
     WHERE seconds = $1 AND cube = $2 AND at_s >= $3 AND at_s < $4 ORDER BY at_s, instance, batch";

/// Begins of the buckets of a slice for which any proxy has a sheet. Answered from the index alone.
pub(super) async fn begins(connection: &mut PgConnection, slice: Slice) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "SELECT DISTINCT at_s FROM sheet \
         WHERE seconds = $1 AND cube = $2 AND at_s >= $3 AND at_s < $4 ORDER BY at_s",
    )
    .bind(slice.seconds)
    .bind(slice.cube.code())
    .bind(slice.from_s)
    .bind(slice.to_s)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(at_s,)| at_s).collect())
}

/// Requests in the sheets of all proxies in a slice.
pub(super) async fn count(connection: &mut PgConnection, slice: Slice) -> Result<u64, sqlx::Error> {
    let (requests,): (i64,) = sqlx::query_as(
        "SELECT coalesce(sum(requests), 0)::bigint FROM sheet \
         WHERE seconds = $1 AND cube = $2 AND at_s >= $3 AND at_s < $4",
    )
    .bind(slice.seconds)
    .bind(slice.cube.code())
    .bind(slice.from_s)
    .bind(slice.to_s)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(requests).unwrap_or(0))
}

/// Begin of the first bucket of a tier, not before a moment, for which a proxy has a sheet.
pub(super) async fn first(
    connection: &mut PgConnection,
    instance: i32,
    cube: Cube,
    seconds: i64,
    from_s: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let first: Option<(i64,)> = sqlx::query_as(
        "SELECT at_s FROM sheet WHERE seconds = $1 AND cube = $2 AND at_s >= $3 AND instance = $4 \
         ORDER BY at_s LIMIT 1",
    )
    .bind(seconds)
    .bind(cube.code())
    .bind(from_s)
    .bind(instance)
    .fetch_optional(connection)
    .await?;
    Ok(first.map(|(at_s,)| at_s))
}

/// Adds sheets of a proxy, in the open transaction. `batch` tells them from those of its every other
/// transaction.
pub(super) async fn add(
    connection: &mut PgConnection,
    instance: i32,
    sheets: &[Sheet],
    batch: i64,
) -> Result<(), sqlx::Error> {
    if sheets.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&Sheet) -> i64| sheets.iter().map(value).collect::<Vec<i64>>();
    sqlx::query(
        "INSERT INTO sheet (seconds, cube, at_s, requests, cells, instance, batch) \
         SELECT *, $6, $7 FROM unnest($1, $2, $3, $4, $5)",
    )
    .bind(column(|sheet| sheet.bucket.seconds))
    .bind(column(|sheet| sheet.bucket.cube.code()))
    .bind(column(|sheet| sheet.bucket.at_s))
    .bind(column(|sheet| i64::try_from(sheet.requests).unwrap_or(i64::MAX)))
    .bind(
        sheets
            .iter()
            .map(|sheet| sheet.bytes.as_slice())
            .collect::<Vec<_>>(),
    )
    .bind(instance)
    .bind(batch)
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts the sheets of a proxy in order, in the open transaction.
pub(super) async fn fold(
    connection: &mut PgConnection,
    instance: i32,
    fold: &Fold,
    batch: i64,
) -> Result<(), sqlx::Error> {
    for bucket in &fold.emptied {
        sqlx::query("DELETE FROM sheet WHERE seconds = $1 AND cube = $2 AND at_s = $3 AND instance = $4")
            .bind(bucket.seconds)
            .bind(bucket.cube.code())
            .bind(bucket.at_s)
            .bind(instance)
            .execute(&mut *connection)
            .await?;
    }
    add(connection, instance, &fold.sheets, batch).await?;
    for mark in &fold.marks {
        sqlx::query(
            "INSERT INTO tier (instance, seconds, cube, folded_until_s) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (instance, seconds, cube) DO UPDATE SET folded_until_s = excluded.folded_until_s",
        )
        .bind(instance)
        .bind(mark.seconds)
        .bind(mark.cube.code())
        .bind(mark.folded_until_s)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
