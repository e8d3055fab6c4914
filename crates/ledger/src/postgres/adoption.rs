//! Proxies that come and go. Each closes the buckets of its own sheets; for one that is gone, another does
//! it, holding its lock meanwhile, so that what readers may rely on is never held back by a proxy that is
//! not there any more.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;

use super::connection::{lock_instance_if_free, transaction, unlock_instance};
use super::sheets;
use crate::rollup::{Cube, align_up};

/// Proxies that are looked at in one go. Those that live are skipped: their lock is held.
const CANDIDATES_MAX: i64 = 64;

/// Makes sure that the tiers of a proxy that begins to write have their rows.
///
/// A new proxy has nothing, so that any border is true for it: it takes the latest of the others, and holds
/// nobody back. One that was gone and complete begins at the end of what it has.
pub(super) async fn register(connection: &mut PgConnection, number: i32) -> Result<(), sqlx::Error> {
    transaction(connection, async |connection| {
        let mut borders: HashMap<(i64, i64), i64> = HashMap::new();
        let latest: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT seconds::bigint, cube::bigint, max(folded_until_s) FROM tier \
             WHERE seconds > 0 GROUP BY 1, 2",
        )
        .fetch_all(&mut *connection)
        .await?;
        borders.extend(
            latest
                .into_iter()
                .map(|(seconds, cube, until_s)| ((seconds, cube), until_s)),
        );
        for cube in Cube::ALL {
            for pair in cube.tiers().windows(2) {
                let &[finer, seconds] = pair else { continue };
                let (end,): (Option<i64>,) = sqlx::query_as(
                    "SELECT max(at_s + seconds) FROM sheet \
                     WHERE instance = $1 AND cube = $2 AND seconds IN ($3, $4)",
                )
                .bind(number)
                .bind(cube.code())
                .bind(finer)
                .bind(seconds)
                .fetch_one(&mut *connection)
                .await?;
                let end_s = end.map_or(0, |end| align_up(end, seconds));
                let latest_s = borders.get(&(seconds, cube.code())).copied().unwrap_or(0);
                sqlx::query(
                    "INSERT INTO tier (instance, seconds, cube, folded_until_s) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (instance, seconds, cube) DO NOTHING",
                )
                .bind(number)
                .bind(seconds)
                .bind(cube.code())
                .bind(end_s.max(latest_s))
                .execute(&mut *connection)
                .await?;
            }
        }
        Ok(())
    })
    .await
}

/// Finds a proxy that is gone and whose tiers are behind those of another, and takes its lock.
pub(super) async fn find(connection: &mut PgConnection, own: i32) -> Result<Option<i32>, sqlx::Error> {
    let behind: Vec<(i32,)> = sqlx::query_as(
        "SELECT DISTINCT instance FROM tier \
         JOIN (SELECT seconds, cube, max(folded_until_s) AS latest_s FROM tier \
               GROUP BY seconds, cube) AS front \
           USING (seconds, cube) \
         WHERE folded_until_s < latest_s AND seconds > 0 AND instance <> $1 ORDER BY instance LIMIT $2",
    )
    .bind(own)
    .bind(CANDIDATES_MAX)
    .fetch_all(&mut *connection)
    .await?;
    for (number,) in behind {
        if lock_instance_if_free(connection, number).await? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Lets go of a proxy. Where nothing of it is left to be folded, its rows in `tier` go: what is absent is
/// complete.
pub(super) async fn leave(connection: &mut PgConnection, own: i32, orphan: i32) -> Result<(), sqlx::Error> {
    let outcome = transaction(connection, async |connection| {
        if !is_complete(connection, orphan).await? {
            return Ok(());
        }
        // What it said about pruned rows and sheets must go on being said.
        sqlx::query(
            "INSERT INTO tier (instance, seconds, cube, kept_from_s) \
             SELECT $1, seconds, cube, kept_from_s FROM tier WHERE instance = $2 AND kept_from_s > 0 \
             ON CONFLICT (instance, seconds, cube) \
             DO UPDATE SET kept_from_s = greatest(tier.kept_from_s, excluded.kept_from_s)",
        )
        .bind(own)
        .bind(orphan)
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM tier WHERE instance = $1")
            .bind(orphan)
            .execute(connection)
            .await?;
        Ok(())
    })
    .await;
    unlock_instance(connection, orphan).await?;
    outcome
}

/// Whether every sheet of a proxy is part of a coarser one, up to the coarsest tier.
async fn is_complete(connection: &mut PgConnection, number: i32) -> Result<bool, sqlx::Error> {
    let states = sheets::states(connection, number).await?;
    for cube in Cube::ALL {
        for pair in cube.tiers().windows(2) {
            let &[finer, seconds] = pair else { continue };
            let from_s = states.of(cube, seconds).folded_until_s;
            if sheets::first(connection, number, cube, finer, from_s)
                .await?
                .is_some()
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
