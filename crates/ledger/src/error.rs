//! What can go wrong, one enum per operation. Every message names the file and, where there is one, the fix.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::postgres;

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL has no form that we know.
    #[error(
        "`{url}` is not a ledger URL; write it like sqlite:///var/lib/streamgauge/streamgauge.db, or \
         postgres://user:password@host/database"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The URL of a PostgreSQL ledger cannot be read.
    #[error(
        "`{shown}` is not the URL of a PostgreSQL database; write it like \
         postgres://user:password@host/database"
    )]
    Address {
        /// What was given, without its password.
        shown: String,
        /// Why.
        source: sqlx::Error,
    },
    /// PostgreSQL is not there, or refused.
    #[error("cannot open the ledger `{ledger}`")]
    Postgres {
        /// The ledger, without its password.
        ledger: String,
        /// Why.
        source: sqlx::Error,
    },
    /// Another process writes under the same name.
    #[error(
        "another proxy named `{instance}` already writes to the ledger `{ledger}`; stop it, or give each \
         its own `proxy.instance`"
    )]
    InstanceTaken {
        /// The name.
        instance: String,
        /// The ledger, without its password.
        ledger: String,
    },
    /// The schema in the database is of something else.
    #[error("the schema `streamgauge` in `{ledger}` is not ours; choose another database")]
    ForeignSchema {
        /// The ledger, without its password.
        ledger: String,
    },
    /// The tables were made by a newer version.
    #[error(
        "the ledger `{ledger}` has schema {found}, this version knows {known}; run the newer streamgauge \
         on it"
    )]
    NewerSchema {
        /// The ledger, without its password.
        ledger: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The folder of the file cannot be made.
    #[error("cannot create the folder `{path}` of the ledger; make it, or choose another `ledger.url`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock file cannot be made.
    #[error("cannot create `{path}`; the user that runs the proxy needs to write in this folder")]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file lies on a network file system.
    #[error(
        "the ledger `{path}` lies on {kind}, where SQLite cannot keep it whole; choose a folder on a local \
         disk, or PostgreSQL"
    )]
    Network {
        /// The ledger.
        path: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// Another process writes to the file.
    #[error(
        "another proxy already writes to the ledger `{path}`; stop it, or give this one its own `ledger.url`"
    )]
    Locked {
        /// The ledger.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("`{path}` is a SQLite database of another program; choose another `ledger.url`")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "the ledger `{path}` has schema {found}, this version knows {known}; run the newer streamgauge on it"
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The SQLite library has the WAL-reset bug.
    #[error(
        "SQLite {found} can corrupt a ledger; 3.51.3 or later is needed (sqlite.org/wal.html#walresetbug)"
    )]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The file could not be moved aside: a corrupt one, or one that a backup takes the place of.
    #[error(
        "the ledger `{path}` cannot be moved aside; move it by hand, with the -wal and -shm files beside it"
    )]
    MoveAside {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open the ledger `{path}`; it must be a file that this user may write, on a local disk")]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The thread that writes to the file cannot be started, or ended.
    #[error("cannot run the thread that writes to the ledger `{path}`")]
    Thread {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a batch was not stored. Nothing of it is in the ledger: keep it and try again.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// PostgreSQL refused; the transaction is rolled back.
    #[error("cannot write to the ledger")]
    Database(#[from] sqlx::Error),
    /// SQLite refused; the transaction is rolled back.
    #[error("cannot write to the ledger")]
    Sqlite(#[from] rusqlite::Error),
    /// The thread that writes to the file is gone.
    #[error("the thread that writes to the ledger ended")]
    Ended,
    /// The file had to be opened again, and could not.
    #[error("cannot open the ledger again")]
    Reopen(#[from] OpenError),
    /// A stored cell cannot be read.
    #[error("a stored rollup cell cannot be read")]
    Cell,
    /// A past is only made in an empty ledger.
    #[error("the ledger holds requests already; name a new file")]
    NotEmpty,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The step is too small for the window, or no whole number of seconds.
    #[error("{0}")]
    Step(String),
    /// The cursor is none that we gave.
    #[error("the cursor is not one that this API gave out")]
    Cursor,
    /// The question takes longer than a reader may take.
    #[error("the answer takes longer than {} s; choose a shorter window or fewer filters", .0.as_secs())]
    TooSlow(std::time::Duration),
    /// The file was written by a newer version.
    #[error("the ledger has schema {found}, this version knows {known}")]
    Newer {
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A stored row is not what we write.
    #[error("a stored row of the ledger cannot be read")]
    Row,
    /// The database refused.
    #[error("cannot read the ledger")]
    Database(#[from] sqlx::Error),
}

// === impl OpenError ===

impl OpenError {
    /// Whether another process holds the ledger, or our name in it, and may let go of it.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::InstanceTaken { .. })
    }

    /// Whether the ledger may be there later without anybody changing the configuration: a server that
    /// starts, restarts or is cut off.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Postgres { source, .. } if postgres::is_passing(source))
    }
}

// === impl QueryError ===

impl QueryError {
    /// Whether the same question may be answered later without anybody changing anything: the server of the
    /// database starts, restarts or is cut off.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(source) if postgres::is_passing(source))
    }
}

// === impl AppendError ===

impl AppendError {
    /// One word for a metric's label: `busy`, `full`, `io`, `readonly`, `corrupt`, `open` or `other`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(source) => postgres::code_word(source).unwrap_or("other"),
            Self::Sqlite(source) => code_word(source),
            Self::Reopen(_) => "open",
            Self::Cell => "corrupt",
            Self::NotEmpty | Self::Ended => "other",
        }
    }

    /// Whether the ledger itself is broken, so that trying again cannot help.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_corrupt(error))
    }
}

// === impl QueryError ===

impl QueryError {
    /// Whether the question was at fault, not the ledger.
    #[must_use]
    pub const fn is_callers(&self) -> bool {
        matches!(self, Self::Step(_) | Self::Cursor | Self::TooSlow(_))
    }
}

/// Whether the file itself is broken.
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Result codes: <https://www.sqlite.org/rescode.html>.
fn code_word(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "busy",
        Some(ErrorCode::ReadOnly) => "readonly",
        Some(ErrorCode::SystemIoFailure) => "io",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "corrupt",
        Some(ErrorCode::DiskFull) => "full",
        Some(ErrorCode::CannotOpen) => "open",
        _ => "other",
    }
}
