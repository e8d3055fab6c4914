//! The partitions of `request`: one for each day, made before the first row of that day, dropped when the
//! day is past.

use std::collections::BTreeSet;

use record::UnixMillis;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::connection::{Lock, is_lock_timeout, transaction};
use crate::columns::first_id_at;
use crate::identifier::RowId;
use crate::rollup::{align_down, second_of};

/// Seconds of a day.
pub(super) const DAY_S: i64 = 86_400;

/// How long the drop of a day may wait for readers, with every writer waiting behind it. It is tried again
/// a minute later.
const DROP_WAIT: &str = "SET LOCAL lock_timeout = '250ms'";

/// The days that are known to have their partition.
#[derive(Debug, Default)]
pub(super) struct Days {
    known: BTreeSet<i64>,
}

/// The partition of a day, by the second in which it begins.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Day(pub(super) i64);

// === impl Days ===

impl Days {
    /// Makes the partitions that these moments need, and that of the day after each, so that midnight finds
    /// it made.
    pub(super) async fn ready(
        &mut self,
        connection: &mut PgConnection,
        moments: impl Iterator<Item = UnixMillis>,
    ) -> Result<(), sqlx::Error> {
        let mut missing = BTreeSet::new();
        for moment in moments {
            let today = Day::of(moment).0;
            for day in [today, today + DAY_S] {
                if !self.known.contains(&day) {
                    missing.insert(day);
                }
            }
        }
        for day in missing {
            Day(day).make(connection).await?;
            self.known.insert(day);
        }
        Ok(())
    }

    /// Forgets the days that retention may have dropped by now.
    pub(super) fn forget_until(&mut self, until_s: i64) {
        self.known.retain(|day| *day + DAY_S > until_s);
    }
}

// === impl Day ===

impl Day {
    /// The day of a row that began at a moment, as its id says it, which clamps what no clock should say.
    pub(super) fn of(moment: UnixMillis) -> Self {
        let stored = RowId::first_at(moment).started_at();
        Self(align_down(second_of(stored), DAY_S))
    }

    /// Row ids of the day: `[from, to)`. The last day that an id can hold ends with the last id.
    pub(super) fn ids(self) -> (i64, i64) {
        let at = |second: i64| first_id_at(UnixMillis(second.saturating_mul(1_000)));
        let end_ms = (self.0 + DAY_S).saturating_mul(1_000);
        let to = if first_id_at(UnixMillis(end_ms)) == first_id_at(UnixMillis(i64::MAX)) {
            i64::MAX
        } else {
            at(self.0 + DAY_S)
        };
        (at(self.0), to)
    }

    /// Days since 1970 name a partition: no calendar is needed, and names sort by time.
    fn table(self) -> String {
        format!("request_{:05}", self.0 / DAY_S)
    }

    fn of_table(table: &str) -> Option<Self> {
        let days: i64 = table.strip_prefix("request_")?.parse().ok()?;
        Some(Self(days * DAY_S))
    }

    /// Makes the partition where it is missing. It is made beside the table and attached then: that waits
    /// for no reader or writer, unlike `CREATE TABLE ... PARTITION OF`.
    /// <https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE>
    async fn make(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.is_there(connection).await? {
            return Ok(());
        }
        transaction(connection, async |connection| self.make_alone(connection).await).await
    }

    async fn make_alone(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        Lock::Partitions.take(connection).await?;
        if self.is_there(connection).await? {
            return Ok(());
        }
        let (table, (from, to)) = (self.table(), self.ids());
        // Our own words and numbers.
        let script = format!(
            "CREATE TABLE {table} (LIKE request INCLUDING ALL); \
             ALTER TABLE request ATTACH PARTITION {table} FOR VALUES FROM ({from}) TO ({to});"
        );
        connection.execute(sqlx::raw_sql(AssertSqlSafe(script))).await?;
        Ok(())
    }

    async fn is_there(self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        // Not `to_regclass`: its answer may be older than the lock that was waited for.
        let there: Option<(i32,)> = sqlx::query_as(
            "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE nspname = 'streamgauge' AND relname = $1",
        )
        .bind(self.table())
        .fetch_optional(connection)
        .await?;
        Ok(there.is_some())
    }

    /// Drops the partition and its rows, in a transaction of its own. Returns about how many rows those
    /// were; `None` when readers hold it.
    pub(super) async fn drop(self, connection: &mut PgConnection) -> Result<Option<u64>, sqlx::Error> {
        let outcome = transaction(connection, async |connection| self.drop_alone(connection).await).await;
        match outcome {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if is_lock_timeout(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn drop_alone(self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        Lock::Partitions.take(connection).await?;
        connection.execute(DROP_WAIT).await?;
        let table = self.table();
        let (rows,): (i64,) = sqlx::query_as(
            "SELECT greatest(0, coalesce(pg_stat_get_live_tuples(to_regclass($1)), 0))::bigint",
        )
        .bind(&table)
        .fetch_one(&mut *connection)
        .await?;
        let script = format!("DROP TABLE IF EXISTS {table}");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(script))).await?;
        Ok(rows.unsigned_abs())
    }
}

/// The oldest day that has a partition; `None` without any.
pub(super) async fn oldest(connection: &mut PgConnection) -> Result<Option<Day>, sqlx::Error> {
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = to_regclass('request')",
    )
    .fetch_all(connection)
    .await?;
    Ok(tables.iter().filter_map(|(table,)| Day::of_table(table)).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_its_first_and_its_last_moment() {
        let noon = UnixMillis(1_795_392_000_000);
        let day = Day::of(noon);
        let (from, to) = day.ids();
        let first = first_id_at(UnixMillis(day.0 * 1_000));
        let last = RowId::new(UnixMillis((day.0 + DAY_S) * 1_000 - 1), 31, u16::MAX).0;
        assert!((from..to).contains(&first) && (from..to).contains(&last));
        assert_eq!(
            Day(day.0 + DAY_S).ids().0,
            to,
            "the next day begins where this one ends"
        );
        assert_eq!(Day::of_table(&day.table()), Some(day), "the name tells the day");
    }

    #[test]
    fn what_no_clock_should_say_has_a_day_too() {
        for moment in [UnixMillis(i64::MIN), UnixMillis(0), UnixMillis(i64::MAX)] {
            let (from, to) = Day::of(moment).ids();
            let id = RowId::new(moment, 0, 0).0;
            assert!((from..to).contains(&id), "{moment:?}");
        }
    }
}
