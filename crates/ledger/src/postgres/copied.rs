//! The receiving end of a copy from another ledger: rows with a note of how far it is, then all sums at once.

use sqlx::postgres::PgConnection;

use super::instance;
use super::sheets;
use crate::rollup::{Cube, TierStates};
use crate::sheet::Sheet;

/// Sheets of one statement: bounds the message.
const SHEETS_LEN: usize = 1_000;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Progress {
    /// Rows with this row id of the source and later ones are copied.
    pub(crate) until_id: i64,
    /// How many those are.
    pub(crate) rows: u64,
}

/// How far the copy under this number is; `None` when it was finished.
pub(super) async fn progress(
    connection: &mut PgConnection,
    number: i32,
) -> Result<Option<Progress>, sqlx::Error> {
    if let Some(until_id) = read(connection, number, "id").await? {
        let rows = read(connection, number, "rows").await?.unwrap_or(0);
        return Ok(Some(Progress {
            until_id,
            rows: rows.unsigned_abs(),
        }));
    }
    // Without a note, either nothing was begun, or everything was done.
    Ok(
        (instance::batch(connection, number).await? == 0).then_some(Progress {
            until_id: i64::MAX,
            rows: 0,
        }),
    )
}

/// Notes how far a copy is, in the transaction of its rows.
pub(super) async fn note(
    connection: &mut PgConnection,
    number: i32,
    progress: Progress,
) -> Result<(), sqlx::Error> {
    let rows = i64::try_from(progress.rows).unwrap_or(i64::MAX);
    for (what, value) in [("id", progress.until_id), ("rows", rows)] {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ($1, $2) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key(number, what))
        .bind(value)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Stores all sums and what the tiers hold, in the open transaction, and ends the copy. Returns how many
/// requests are counted in the sums that are there now.
pub(super) async fn finish(
    connection: &mut PgConnection,
    number: i32,
    batch: i64,
    stored: &[Sheet],
    states: &TierStates,
) -> Result<u64, sqlx::Error> {
    for chunk in stored.chunks(SHEETS_LEN) {
        sheets::add(connection, number, chunk, batch).await?;
    }
    put_tier(connection, number, (0, 0), (states.rows_kept_from_s(), 0)).await?;
    for cube in Cube::ALL {
        for (place, seconds) in cube.tiers().iter().enumerate() {
            let held = states.of(cube, *seconds);
            // The finest tier is never folded, whatever its state says.
            let folded_until_s = if place == 0 { 0 } else { held.folded_until_s };
            let tier = (*seconds, cube.code());
            put_tier(connection, number, tier, (held.kept_from_s, folded_until_s)).await?;
        }
    }
    sqlx::query("DELETE FROM meta WHERE key = ANY($1)")
        .bind([key(number, "id"), key(number, "rows")].as_slice())
        .execute(&mut *connection)
        .await?;
    instance::count_batch(connection, number, batch).await?;
    let (requests,): (i64,) =
        sqlx::query_as("SELECT coalesce(sum(requests), 0)::bigint FROM sheet WHERE instance = $1")
            .bind(number)
            .fetch_one(connection)
            .await?;
    Ok(requests.unsigned_abs())
}

async fn put_tier(
    connection: &mut PgConnection,
    number: i32,
    (seconds, cube): (i64, i64),
    (kept_from_s, folded_until_s): (i64, i64),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO tier (instance, seconds, cube, kept_from_s, folded_until_s) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (instance, seconds, cube) \
         DO UPDATE SET kept_from_s = excluded.kept_from_s, folded_until_s = excluded.folded_until_s",
    )
    .bind(number)
    .bind(seconds)
    .bind(cube)
    .bind(kept_from_s)
    .bind(folded_until_s)
    .execute(connection)
    .await?;
    Ok(())
}

async fn read(connection: &mut PgConnection, number: i32, what: &str) -> Result<Option<i64>, sqlx::Error> {
    let value: Option<(i64,)> = sqlx::query_as("SELECT value FROM meta WHERE key = $1")
        .bind(key(number, what))
        .fetch_optional(connection)
        .await?;
    Ok(value.map(|(value,)| value))
}

fn key(number: i32, what: &str) -> String {
    format!("copy {number} {what}")
}
