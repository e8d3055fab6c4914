//! Read-only connections: at most four, opened when the file is there, and a read transaction on one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Sqlite, SqlitePool};

use super::names::NameCache;
use crate::error::QueryError;
use crate::location::{FileIdentity, Location};
use crate::opening::PROGRESS_STEPS;
use crate::schema;

/// Most connections at a time. Readers never block the writer, but they take its processor.
const CONNECTIONS_MAX: u32 = 4;

/// How long a read waits for a lock, which in WAL mode only recovery after a crash takes.
const BUSY_TIME_MAX: Duration = Duration::from_secs(2);

/// Connections to the file that stands at the location now.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    location: Arc<Location>,
    opened: Arc<Mutex<Option<Opened>>>,
}

/// A read transaction. Dropped before [`Self::finish`], it stops what SQLite is doing and closes its
/// connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: PoolConnection<Sqlite>,
    names: NameCache,
    stop: Arc<AtomicBool>,
    finished: bool,
}

#[derive(Clone, Debug)]
struct Opened {
    file: FileIdentity,
    pool: SqlitePool,
    names: NameCache,
}

// === impl Connections ===

impl Connections {
    pub(super) fn new(location: Location) -> Self {
        Self {
            location: Arc::new(location),
            opened: Arc::default(),
        }
    }

    /// Begins a read transaction; `None` while there is no ledger.
    pub(super) async fn session(&self) -> Result<Option<Session>, QueryError> {
        let Some(opened) = self.opened() else {
            return Ok(None);
        };
        let mut connection = opened.pool.acquire().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        connection
            .lock_handle()
            .await?
            .set_progress_handler(PROGRESS_STEPS, move || !seen.load(Ordering::Relaxed));
        let mut session = Session {
            connection,
            names: opened.names,
            stop,
            finished: false,
        };
        sqlx::query("BEGIN").execute(session.connection()).await?;
        let (version,): (i64,) = sqlx::query_as("PRAGMA user_version")
            .fetch_one(session.connection())
            .await?;
        if version > schema::VERSION {
            return Err(QueryError::Newer {
                found: version,
                known: schema::VERSION,
            });
        }
        if version < schema::VERSION {
            // The writer is about to migrate it.
            session.finish().await?;
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// The pool of the file that is there now. A pool of a file that was replaced is let go.
    fn opened(&self) -> Option<Opened> {
        let mut slot = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.location.identity();
        if slot.as_ref().map(|opened| opened.file) != file {
            *slot = file.map(|file| Opened {
                file,
                pool: SqlitePoolOptions::new()
                    .max_connections(CONNECTIONS_MAX)
                    .acquire_timeout(super::QUERY_TIME_MAX)
                    .test_before_acquire(false)
                    .connect_lazy_with(options(&self.location)),
                names: NameCache::default(),
            });
        }
        slot.clone()
    }
}

// === impl Session ===

impl Session {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(super) fn names(&self) -> NameCache {
        self.names.clone()
    }

    /// Ends the transaction and gives the connection back.
    pub(super) async fn finish(mut self) -> Result<(), QueryError> {
        sqlx::query("COMMIT").execute(self.connection()).await?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.finished {
            self.stop.store(true, Ordering::Relaxed);
            self.connection.close_on_drop();
        }
    }
}

fn options(location: &Location) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(location.path())
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIME_MAX)
        .foreign_keys(false)
        .pragma("query_only", "ON")
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .thread_name(|number| format!("ledger-read-{number}"))
        .disable_statement_logging()
}
