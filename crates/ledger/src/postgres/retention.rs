//! Deletes what is past its time. One proxy at a time does it for all; the others find nothing to do.
//!
//! Requests go by whole days: their partition is dropped, which costs the same for ten rows and for a
//! hundred million. Until then, what is past its time is hidden from readers by the begin of tier 0. So
//! that no reader with an older view misses rows that it counts on, a day is dropped only when it was
//! hidden by an earlier step already.

use sqlx::postgres::PgConnection;

use super::connection::{Lock, transaction};
use super::partitions::{DAY_S, Day, oldest};
use super::sheets::common_states;
use crate::retention::{Prune, Pruned};
use crate::rollup::{Cube, TierStates, align_down};

/// Sheets of one tier that one step deletes at most.
const SHEETS_MAX: i64 = 1_000;

/// What one step found: what it deleted, and the day that may be dropped.
#[derive(Debug, Default)]
struct Step {
    pruned: Pruned,
    past: Option<Day>,
}

/// One step, in transactions of its own.
pub(super) async fn step(
    connection: &mut PgConnection,
    instance: i32,
    prune: &Prune,
) -> Result<Pruned, sqlx::Error> {
    let Step { mut pruned, past } = transaction(connection, async |connection| {
        alone(connection, instance, prune).await
    })
    .await?;
    if let Some(day) = past
        && let Some(rows) = day.drop(connection).await?
    {
        pruned.rows += rows;
        pruned.more = true;
    }
    Ok(pruned)
}

/// Bytes of all our tables and indexes.
pub(super) async fn used_bytes(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let (bytes,): (i64,) = sqlx::query_as(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
         WHERE relnamespace = to_regnamespace('streamgauge') AND relkind IN ('r', 'p')",
    )
    .fetch_one(connection)
    .await?;
    Ok(bytes.unsigned_abs())
}

async fn alone(connection: &mut PgConnection, instance: i32, prune: &Prune) -> Result<Step, sqlx::Error> {
    if !Lock::Retention.take_if_free(connection).await? {
        return Ok(Step::default());
    }
    let states = common_states(connection).await?;
    let mut step = Step {
        past: rows(connection, instance, prune, &states).await?,
        ..Step::default()
    };
    for (cube, seconds, until_s) in &prune.tiers {
        let until_s = folded(*cube, *seconds, *until_s, &states);
        step.pruned
            .add(sheets(connection, instance, (*cube, *seconds, until_s), &states).await?);
    }
    let gone = sqlx::query("DELETE FROM pulse WHERE at_ms < $1").bind(prune.pulses_until.0);
    step.pruned.rows += gone.execute(connection).await?.rows_affected();
    Ok(step)
}

/// What is not yet part of a coarser cell of every proxy is kept, whatever its age.
fn folded(cube: Cube, seconds: i64, until_s: i64, states: &TierStates) -> i64 {
    let coarser = cube.tiers().iter().find(|tier| **tier > seconds);
    coarser.map_or(0, |coarser| {
        align_down(until_s.min(states.of(cube, *coarser).folded_until_s), seconds)
    })
}

/// Hides the requests that are past their time. Returns the oldest day when all of it was hidden before.
async fn rows(
    connection: &mut PgConnection,
    instance: i32,
    prune: &Prune,
    states: &TierStates,
) -> Result<Option<Day>, sqlx::Error> {
    let Some(day) = oldest(connection).await? else {
        return Ok(None);
    };
    let mut until_s = prune.rows_until_s;
    if let Some(max_bytes) = prune.max_bytes
        && used_bytes(connection).await? > max_bytes
    {
        // The oldest day goes, but never the present one.
        until_s = until_s.max((day.0 + DAY_S).min(align_down(prune.minute_s, DAY_S)));
    }
    set_kept_from(connection, instance, (0, 0), until_s, states.rows_kept_from_s()).await?;
    Ok((day.0 + DAY_S <= states.rows_kept_from_s()).then_some(day))
}

/// The oldest sheets of a tier.
async fn sheets(
    connection: &mut PgConnection,
    instance: i32,
    (cube, seconds, until_s): (Cube, i64, i64),
    states: &TierStates,
) -> Result<Pruned, sqlx::Error> {
    let before_s = states.of(cube, seconds).kept_from_s;
    set_kept_from(connection, instance, (seconds, cube.code()), until_s, before_s).await?;
    let deleted = sqlx::query(
        "DELETE FROM sheet WHERE ctid = ANY(ARRAY(SELECT ctid FROM sheet \
         WHERE seconds = $1 AND cube = $2 AND at_s < $3 ORDER BY at_s LIMIT $4))",
    )
    .bind(seconds)
    .bind(cube.code())
    .bind(until_s)
    .bind(SHEETS_MAX)
    .execute(connection)
    .await?;
    let rows = deleted.rows_affected();
    Ok(Pruned {
        rows,
        more: rows >= SHEETS_MAX.unsigned_abs(),
    })
}

/// Moves the begin of what a tier holds, which is the latest that any proxy says; never back.
async fn set_kept_from(
    connection: &mut PgConnection,
    instance: i32,
    (seconds, cube): (i64, i64),
    kept_from_s: i64,
    before_s: i64,
) -> Result<(), sqlx::Error> {
    if kept_from_s <= before_s {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tier (instance, seconds, cube, kept_from_s) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (instance, seconds, cube) DO UPDATE SET kept_from_s = excluded.kept_from_s",
    )
    .bind(instance)
    .bind(seconds)
    .bind(cube)
    .bind(kept_from_s)
    .execute(connection)
    .await?;
    Ok(())
}
