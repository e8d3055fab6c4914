//! Sheets of cells and what the tiers hold, for readers.

use sqlx::sqlite::SqliteConnection;

use crate::rollup::{Held, Slice, TierStates};

/// What every tier holds.
pub(super) async fn states(connection: &mut SqliteConnection) -> Result<TierStates, sqlx::Error> {
    let rows = sqlx::query_as(STATES).fetch_all(connection).await?;
    Ok(states_of(rows))
}

/// The text behind [`states`].
pub(super) const STATES: &str = "SELECT seconds, cube, kept_from_s, folded_until_s FROM tier";

/// What every tier holds, from the rows of [`STATES`].
pub(super) fn states_of(rows: Vec<(i64, i64, i64, i64)>) -> TierStates {
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

/// The sheets of a slice with the begin of their bucket, in its order.
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
