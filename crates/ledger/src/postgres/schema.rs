//! The tables, all in a schema of their own, `streamgauge`, and how a database gets them.

use sqlx::Executor as _;
use sqlx::postgres::PgConnection;

use super::connection::{Lock, transaction};
use crate::error::OpenError;

/// The schema version that this program writes.
pub(super) const VERSION: i64 = 2;

/// Each migration brings a database from the version of its place to the next. Never edit one that was
/// released. A migration only adds: proxies of the version before go on writing until they are replaced.
const MIGRATIONS: [&str; 2] = [include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

const _: () = assert!(MIGRATIONS.len() == 2, "VERSION is the number of migrations");

/// What is found in a database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing of ours.
    Nothing,
    /// A schema of our name with tables that are not ours.
    Foreign,
    /// Our tables.
    Ledger {
        version: i64,
        /// Drawn when the tables were made: another ledger at the same address has another.
        identity: i64,
    },
}

/// Why a migration did not happen.
#[derive(Debug)]
pub(super) enum Refusal {
    Foreign,
    Newer(i64),
    Failed(sqlx::Error),
}

// === impl Refusal ===

impl Refusal {
    /// The error to show, for the database at `shown`.
    pub(super) fn into_error(self, shown: &str) -> OpenError {
        let ledger = shown.to_owned();
        match self {
            Self::Foreign => OpenError::ForeignSchema { ledger },
            Self::Newer(found) => OpenError::NewerSchema {
                ledger,
                found,
                known: VERSION,
            },
            Self::Failed(source) => OpenError::Postgres { ledger, source },
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs the migrations that the database has not had, in one transaction: killed half-way, nothing of it is
/// there. Of several proxies that start at once, one does it and the others wait.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), Refusal> {
    match found(connection).await? {
        Found::Ledger { version, .. } if version == VERSION => Ok(()),
        _ => transaction(connection, migrate_alone).await,
    }
}

async fn migrate_alone(connection: &mut PgConnection) -> Result<(), Refusal> {
    Lock::Schema.take(connection).await?;
    let from = match found(connection).await? {
        Found::Foreign => return Err(Refusal::Foreign),
        Found::Ledger { version, .. } if version > VERSION => return Err(Refusal::Newer(version)),
        Found::Ledger { version, .. } => version,
        Found::Nothing => {
            begin(connection).await?;
            0
        }
    };
    for (version, script) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        tracing::info!(version, "migrating the ledger to schema {version}");
        connection.execute(sqlx::raw_sql(script)).await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'schema'")
            .bind(version)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Makes what tells that the schema is ours.
async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let there: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_namespace WHERE nspname = 'streamgauge'")
        .fetch_optional(&mut *connection)
        .await?;
    // It may have been made for a user who may not make one.
    if there.is_none() {
        connection.execute("CREATE SCHEMA streamgauge").await?;
    }
    let script = "CREATE TABLE streamgauge.meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL); \
         INSERT INTO streamgauge.meta VALUES ('schema', 0), ('identity', (random() * 9e18)::bigint);";
    connection.execute(sqlx::raw_sql(script)).await?;
    Ok(())
}

/// Looks what is there.
pub(super) async fn found(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    // Not `to_regclass`: its answer may be older than the lock that was waited for.
    let (tables, ours): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE relname = 'meta') \
         FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'streamgauge'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if ours == 0 {
        return Ok(if tables > 0 {
            Found::Foreign
        } else {
            Found::Nothing
        });
    }
    let stamp: (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT value FROM streamgauge.meta WHERE key = 'schema'), \
         (SELECT value FROM streamgauge.meta WHERE key = 'identity')",
    )
    .fetch_one(connection)
    .await?;
    Ok(match stamp {
        (Some(version), Some(identity)) => Found::Ledger { version, identity },
        _ => Found::Foreign,
    })
}

#[cfg(test)]
mod tests {
    use crate::columns::record_columns;

    #[test]
    fn a_row_is_sent_as_its_type_says() {
        let script = include_str!("schema/0002.sql");
        let (_, columns) = script.split_once("AS (").unwrap();
        let names: Vec<&str> = columns
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let sent: Vec<&str> = record_columns!().split(',').map(str::trim).collect();
        assert_eq!(names, [sent, vec![");"]].concat());
    }
}
