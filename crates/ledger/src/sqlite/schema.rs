//! The tables, and how a file gets them. `user_version` is the only record of which migrations have run.

use rusqlite::Connection;
use sqlx::sqlite::SqliteConnection;

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

/// The text behind a [`Stamp`].
pub(crate) const STAMP: &str = "SELECT user_version, application_id, \
     (SELECT count(*) FROM sqlite_schema WHERE type = 'table') \
     FROM pragma_user_version, pragma_application_id";

// === impl Stamp ===

impl Stamp {
    /// From the row of [`STAMP`].
    pub(crate) const fn of((version, application, tables): (i64, i64, i64)) -> Self {
        Self {
            version,
            application,
            tables: tables > 0,
        }
    }
}

/// Reads the stamp of a file.
pub(crate) async fn stamp(connection: &mut SqliteConnection) -> Result<Stamp, sqlx::Error> {
    Ok(Stamp::of(sqlx::query_as(STAMP).fetch_one(connection).await?))
}

/// Runs the migrations that a file has not had. Each is one transaction with its version: killed half-way, it
/// repeats.
pub(crate) fn migrate(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    for (version, script) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        tracing::info!(version, "migrating the ledger to schema {version}");
        let script = format!(
            "BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n\
             PRAGMA user_version = {version};\nCOMMIT;"
        );
        if let Err(error) = connection.execute_batch(&script) {
            // Without an open transaction this fails, which is just as well.
            let _ = connection.execute_batch("ROLLBACK");
            return Err(error);
        }
    }
    Ok(())
}
