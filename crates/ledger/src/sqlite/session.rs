//! Read-only connections: at most four, opened when the file is there, and a read transaction on one of them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt as _;
use record::{MetricRecord, Name, Pulse, UnixMillis};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Sqlite, SqlitePool};

use super::PROGRESS_STEPS;
use super::location::{FileIdentity, Location};
use super::{names, rows, scan, schema, sheets};
use crate::cell::Sample;
use crate::codes::Kind;
use crate::columns::first_id_at;
use crate::error::{OpenError, QueryError};
use crate::identifier::RowId;
use crate::reader::{NameCache, QUERY_TIME_MAX, Selection};
use crate::rollup::{Slice, TierStates};
use crate::words::By;

/// Most connections at a time. Readers never block the writer, but they take its processor.
const CONNECTIONS_MAX: u32 = 4;

/// How long a read waits for a lock, which in WAL mode only recovery after a crash takes.
const BUSY_TIME_MAX: Duration = Duration::from_secs(2);

/// Connections to the file that stands at the location now.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    location: Arc<Location>,
    opened: Arc<Mutex<Option<Opened>>>,
}

/// A read transaction. Dropped before [`Self::finish`], it stops what SQLite is doing and closes its
/// connection.
#[derive(Debug)]
pub(crate) struct Session {
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
    pub(crate) fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self {
            location: Arc::new(Location::parse(url)?),
            opened: Arc::default(),
        })
    }

    /// Begins a read transaction; `None` while there is no ledger.
    pub(crate) async fn session(&self) -> Result<Option<Session>, QueryError> {
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
                    .acquire_timeout(QUERY_TIME_MAX)
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

    pub(crate) fn name_cache(&self) -> NameCache {
        self.names.clone()
    }

    pub(crate) async fn names(&mut self, ids: &[i64]) -> Result<Vec<(i64, Name)>, QueryError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(names::texts(self.connection(), ids).await?)
    }

    pub(crate) async fn find_names(&mut self, kind: Kind, wanted: &[Name]) -> Result<Vec<i64>, QueryError> {
        let wanted: Vec<&Name> = wanted.iter().collect();
        let found = names::numbers(self.connection(), kind, &wanted).await?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    pub(crate) async fn names_with(
        &mut self,
        kind: Kind,
        prefix: &str,
    ) -> Result<Vec<(i64, Name)>, QueryError> {
        Ok(names::with_prefix(self.connection(), kind, prefix).await?)
    }

    pub(crate) async fn states(&mut self) -> Result<TierStates, QueryError> {
        Ok(sheets::states(self.connection()).await?)
    }

    pub(crate) async fn newest(&mut self) -> Result<Option<UnixMillis>, QueryError> {
        let (newest,): (Option<i64>,) = sqlx::query_as("SELECT max(id) FROM request")
            .fetch_one(self.connection())
            .await?;
        Ok(newest.map(|id| RowId(id).started_at()))
    }

    pub(crate) async fn oldest(&mut self, from: UnixMillis) -> Result<Option<UnixMillis>, QueryError> {
        let (oldest,): (Option<i64>,) = sqlx::query_as("SELECT min(id) FROM request WHERE id >= ?1")
            .bind(first_id_at(from))
            .fetch_one(self.connection())
            .await?;
        Ok(oldest.map(|id| RowId(id).started_at()))
    }

    pub(crate) async fn tally(&mut self, (from, to): (UnixMillis, UnixMillis)) -> Result<u64, QueryError> {
        let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM request WHERE id >= ?1 AND id < ?2")
            .bind(first_id_at(from))
            .bind(first_id_at(to))
            .fetch_one(self.connection())
            .await?;
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    pub(crate) async fn sheets(
        &mut self,
        slice: Slice,
        mut each: impl FnMut(i64, &[u8]) -> Result<(), QueryError> + Send,
    ) -> Result<(), QueryError> {
        let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(sheets::SELECT)
            .bind(slice.seconds)
            .bind(slice.cube.code())
            .bind(slice.from_s)
            .bind(slice.to_s)
            .fetch(self.connection());
        while let Some((at_s, bytes)) = rows.try_next().await? {
            each(at_s, &bytes)?;
        }
        Ok(())
    }

    pub(crate) async fn begins(&mut self, slice: Slice) -> Result<Vec<i64>, QueryError> {
        Ok(sheets::begins(self.connection(), slice).await?)
    }

    pub(crate) async fn count(&mut self, slice: Slice) -> Result<u64, QueryError> {
        Ok(sheets::count(self.connection(), slice).await?)
    }

    pub(crate) async fn scan(
        &mut self,
        selection: &Selection,
        window: (UnixMillis, UnixMillis),
        by: Option<&By>,
        each: impl FnMut(Option<i64>, Option<&str>, &Sample) + Send,
    ) -> Result<(), QueryError> {
        scan::scan(self.connection(), selection, window, by, each).await
    }

    pub(crate) async fn page(
        &mut self,
        selection: &Selection,
        ids: Range<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, MetricRecord)>, QueryError> {
        rows::page(self, selection, ids, limit).await
    }

    pub(crate) async fn find(
        &mut self,
        rid: &[u8],
        window: (UnixMillis, UnixMillis),
    ) -> Result<Option<MetricRecord>, QueryError> {
        rows::find(self, rid, window).await
    }

    pub(crate) async fn pulses(&mut self) -> Result<Vec<Pulse>, QueryError> {
        rows::pulses(self).await
    }

    /// Ends the transaction and gives the connection back.
    pub(crate) async fn finish(mut self) -> Result<(), QueryError> {
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
