//! The tables, and how a file gets them. `user_version` is the only record of which migrations have run.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _};

/// The schema that this version writes.
pub(crate) const VERSION: i64 = 3;

/// `application_id` of our files: the letters `SGgl`.
pub(crate) const APPLICATION_ID: i64 = 0x5347_676c;

/// Each migration brings a file from the version of its place to the next. Never edit one that was released.
const MIGRATIONS: [&str; 3] = [
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
];

const _: () = assert!(MIGRATIONS.len() == 3, "VERSION is the number of migrations");

/// What a file says about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) version: i64,
    pub(crate) application: i64,
    /// Whether there is any table.
    pub(crate) tables: bool,
}

/// Reads the stamp of a file.
pub(crate) async fn stamp(connection: &mut SqliteConnection) -> Result<Stamp, sqlx::Error> {
    let (tables,): (i64,) = sqlx::query_as("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
        .fetch_one(&mut *connection)
        .await?;
    let (application,): (i64,) = sqlx::query_as("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    Ok(Stamp {
        version,
        application,
        tables: tables > 0,
    })
}

/// Runs the migrations that a file has not had. Each is one transaction with its version: killed half-way, it
/// repeats.
pub(crate) async fn migrate(connection: &mut SqliteConnection, from: i64) -> Result<(), sqlx::Error> {
    for (version, script) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        tracing::info!(version, "migrating the ledger to schema {version}");
        let script = format!(
            "BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n\
             PRAGMA user_version = {version};\nCOMMIT;"
        );
        // No value from outside is in the text: our scripts and two numbers of ours.
        if let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(script))).await {
            // Without an open transaction this fails, which is just as well.
            let _ = connection.execute(sqlx::raw_sql("ROLLBACK")).await;
            return Err(error);
        }
    }
    Ok(())
}
