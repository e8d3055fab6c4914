//! Retention: old rows and cells go in small steps between batches, so that no batch waits long, and the file
//! shrinks.

use std::time::Duration;

use record::UnixMillis;
use sqlx::sqlite::SqliteConnection;

use crate::columns::first_id_at;
use crate::identifier::RowId;
use crate::rollup::{Cube, TIERS, TierStates, align_down, align_up, second_of};

/// Rows or cells that one step deletes at most. Measured: the longest lock of a step of 5,000 rows is 13 ms.
const STEP_LEN: i64 = 5_000;

/// Free pages (4 KiB) that one step gives back to the file system. Measured: at most 22 ms.
const VACUUM_PAGES: i64 = 1_000;

/// How long a pulse of a proxy that is gone is shown as stale.
const PULSE_AGE_MAX: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// How long each kind of row is kept. Cells of thirty days are kept for ever: there are twelve a year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// The requests themselves.
    pub requests: Duration,
    /// Cells of one minute.
    pub minutes: Duration,
    /// Cells of ten minutes.
    pub ten_minutes: Duration,
    /// Cells of one hour and of six hours.
    pub hours: Duration,
    /// Cells of one day.
    pub days: Duration,
    /// Size of the database beyond which the oldest requests go before their time; `None` is no limit. Cells
    /// stay.
    pub max_bytes: Option<u64>,
}

/// What one step of retention did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// Rows and cells that were deleted.
    pub rows: u64,
    /// Whether another step has work to do.
    pub more: bool,
}

// === impl Keep ===

impl Default for Keep {
    fn default() -> Self {
        Self {
            requests: 7 * DAY,
            minutes: 3 * DAY,
            ten_minutes: 35 * DAY,
            hours: 400 * DAY,
            days: 3_650 * DAY,
            max_bytes: None,
        }
    }
}

impl Keep {
    /// How long the cells of a tier are kept; `None` is for ever.
    fn of_tier(&self, seconds: i64) -> Option<Duration> {
        match seconds {
            60 => Some(self.minutes),
            600 => Some(self.ten_minutes),
            3_600 | 21_600 => Some(self.hours),
            86_400 => Some(self.days),
            _ => None,
        }
    }
}

/// One step, in the open transaction.
pub(crate) async fn step(
    connection: &mut SqliteConnection,
    keep: &Keep,
    now: UnixMillis,
) -> Result<Pruned, sqlx::Error> {
    let states = TierStates::read(connection).await?;
    let mut pruned = rows(connection, keep, &states, now).await?;
    for cube in Cube::ALL {
        for pair in cube.tiers().windows(2) {
            let &[seconds, coarser] = pair else { continue };
            let Some(kept) = keep.of_tier(seconds) else {
                continue;
            };
            // What is not yet part of a coarser cell is kept, whatever its age.
            let folded_s = states.of(cube, coarser).folded_until_s;
            let until_s = align_down(second_of(now.minus(kept)).min(folded_s), seconds);
            pruned.add(cells(connection, &states, cube, seconds, until_s).await?);
        }
    }
    let gone = sqlx::query("DELETE FROM pulse WHERE at_ms < ?1").bind(now.minus(PULSE_AGE_MAX).0);
    pruned.rows += gone.execute(connection).await?.rows_affected();
    Ok(pruned)
}

/// Gives free pages back to the file system; outside of any transaction. Whether there are more.
pub(crate) async fn shrink(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
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
async fn rows(
    connection: &mut SqliteConnection,
    keep: &Keep,
    states: &TierStates,
    now: UnixMillis,
) -> Result<Pruned, sqlx::Error> {
    let mut until_s =
        align_down(second_of(now.minus(keep.requests)), TIERS[0]).max(states.rows_kept_from_s());
    if let Some(max_bytes) = keep.max_bytes
        && used_bytes(connection).await? > max_bytes
    {
        until_s = until_s.max(after_oldest(connection, now).await?);
    }
    // Said before the rows are gone: readers then leave them alone, and nothing is counted half.
    set_kept_from(connection, 0, 0, states.rows_kept_from_s(), until_s).await?;
    let deleted = sqlx::query(
        "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE id < ?1 ORDER BY id LIMIT ?2)",
    )
    .bind(first_id_at(UnixMillis(until_s * 1_000)))
    .bind(STEP_LEN)
    .execute(connection)
    .await?;
    Ok(Pruned::of(deleted.rows_affected()))
}

/// The end of the minute of the last of the oldest rows, but never the present minute.
async fn after_oldest(connection: &mut SqliteConnection, now: UnixMillis) -> Result<i64, sqlx::Error> {
    let (oldest,): (Option<i64>,) =
        sqlx::query_as("SELECT max(id) FROM (SELECT id FROM request ORDER BY id LIMIT ?1)")
            .bind(STEP_LEN)
            .fetch_one(connection)
            .await?;
    let minute = TIERS[0];
    let after = oldest.map_or(0, |id| align_up(second_of(RowId(id).started_at()) + 1, minute));
    Ok(after.min(align_down(second_of(now), minute)))
}

/// The oldest cells of a tier.
async fn cells(
    connection: &mut SqliteConnection,
    states: &TierStates,
    cube: Cube,
    seconds: i64,
    until_s: i64,
) -> Result<Pruned, sqlx::Error> {
    let kept_from_s = states.of(cube, seconds).kept_from_s;
    let until_s = until_s.max(kept_from_s);
    set_kept_from(connection, seconds, cube.code(), kept_from_s, until_s).await?;
    let (last,): (Option<i64>,) = sqlx::query_as(
        "SELECT max(at_s) FROM (SELECT at_s FROM rollup WHERE seconds = ?1 AND cube = ?2 AND at_s < ?3 \
         ORDER BY at_s LIMIT ?4)",
    )
    .bind(seconds)
    .bind(cube.code())
    .bind(until_s)
    .bind(STEP_LEN)
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = last else {
        return Ok(Pruned::default());
    };
    let deleted = sqlx::query("DELETE FROM rollup WHERE seconds = ?1 AND cube = ?2 AND at_s <= ?3")
        .bind(seconds)
        .bind(cube.code())
        .bind(last)
        .execute(connection)
        .await?;
    Ok(Pruned::of(deleted.rows_affected()))
}

async fn set_kept_from(
    connection: &mut SqliteConnection,
    seconds: i64,
    cube: i64,
    before_s: i64,
    kept_from_s: i64,
) -> Result<(), sqlx::Error> {
    if kept_from_s <= before_s {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tier (seconds, cube, kept_from_s) VALUES (?1, ?2, ?3) \
         ON CONFLICT (seconds, cube) DO UPDATE SET kept_from_s = excluded.kept_from_s",
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

// === impl Pruned ===

impl Pruned {
    /// A full step means that there may be more.
    fn of(rows: u64) -> Self {
        Self {
            rows,
            more: rows >= STEP_LEN.unsigned_abs(),
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.more |= other.more;
    }
}
