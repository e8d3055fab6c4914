//! Read-only connections: at most four, opened when they are needed, and a read transaction on one of them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt as _;
use record::{MetricRecord, Name, Pulse, UnixMillis};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Executor as _, PgPool, Postgres};

use super::address::Address;
use super::connection::READING;
use super::schema::{self, Found};
use super::{names, records, rows, scan, sheets};
use crate::cell::Sample;
use crate::codes::Kind;
use crate::error::{OpenError, QueryError};
use crate::identifier::RowId;
use crate::reader::{NameCache, QUERY_TIME_MAX, Selection};
use crate::rollup::{Slice, TierStates};
use crate::words::By;

/// Most connections at a time. Readers never block a writer, but they take the server's processors.
const CONNECTIONS_MAX: u32 = 4;

/// Connections to a database.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    address: Arc<Address>,
    /// Made by the first question: a pool needs a runtime.
    pool: Arc<Mutex<Option<PgPool>>>,
    /// Strings of the ledger with this identity: another one at the same address numbers them anew.
    names: Arc<Mutex<(i64, NameCache)>>,
}

/// A read transaction. Dropped before [`Self::finish`], it closes its connection, by which the server stops
/// what it is doing for it.
#[derive(Debug)]
pub(crate) struct Session {
    connection: PoolConnection<Postgres>,
    names: NameCache,
    finished: bool,
}

// === impl Connections ===

impl Connections {
    pub(crate) fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self {
            address: Arc::new(Address::parse(url)?),
            pool: Arc::default(),
            names: Arc::default(),
        })
    }

    /// Begins a read transaction; `None` while there is no ledger in the database.
    pub(crate) async fn session(&self) -> Result<Option<Session>, QueryError> {
        let mut session = Session {
            connection: self.pool().acquire().await?,
            names: NameCache::default(),
            finished: false,
        };
        session
            .connection()
            // All statements of a question see the same moment.
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        match schema::found(session.connection()).await? {
            Found::Ledger { version, identity } if version == schema::VERSION => {
                session.names = self.names(identity);
                Ok(Some(session))
            }
            Found::Ledger { version, .. } if version > schema::VERSION => Err(QueryError::Newer {
                found: version,
                known: schema::VERSION,
            }),
            // A writer is about to make or to migrate it.
            Found::Ledger { .. } | Found::Nothing | Found::Foreign => {
                session.finish().await?;
                Ok(None)
            }
        }
    }

    fn pool(&self) -> PgPool {
        let mut slot = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = slot.get_or_insert_with(|| {
            PgPoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(QUERY_TIME_MAX)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        connection.execute(sqlx::raw_sql(READING)).await?;
                        Ok(())
                    })
                })
                .connect_lazy_with(self.address.options().clone())
        });
        pool.clone()
    }

    fn names(&self, identity: i64) -> NameCache {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.0 != identity {
            *names = (identity, NameCache::default());
        }
        names.1.clone()
    }
}

// === impl Session ===

impl Session {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
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
        Ok(names::numbers(self.connection(), kind, wanted).await?)
    }

    pub(crate) async fn names_with(
        &mut self,
        kind: Kind,
        prefix: &str,
    ) -> Result<Vec<(i64, Name)>, QueryError> {
        Ok(names::with_prefix(self.connection(), kind, prefix).await?)
    }

    pub(crate) async fn states(&mut self) -> Result<TierStates, QueryError> {
        Ok(sheets::common_states(self.connection()).await?)
    }

    pub(crate) async fn newest(&mut self) -> Result<Option<UnixMillis>, QueryError> {
        let newest = rows::newest(self.connection()).await?;
        Ok(newest.map(RowId::started_at))
    }

    pub(crate) async fn oldest(&mut self, from: UnixMillis) -> Result<Option<UnixMillis>, QueryError> {
        let oldest = rows::oldest(self.connection(), from).await?;
        Ok(oldest.map(RowId::started_at))
    }

    pub(crate) async fn tally(&mut self, window: (UnixMillis, UnixMillis)) -> Result<u64, QueryError> {
        Ok(rows::tally(self.connection(), window).await?)
    }

    pub(crate) async fn sheets(
        &mut self,
        slice: Slice,
        mut each: impl FnMut(i64, &[u8]) -> Result<(), QueryError> + Send,
    ) -> Result<(), QueryError> {
        let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(sheets::ALL)
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
        records::page(self, selection, ids, limit).await
    }

    pub(crate) async fn find(
        &mut self,
        rid: &[u8],
        window: (UnixMillis, UnixMillis),
    ) -> Result<Option<MetricRecord>, QueryError> {
        records::find(self, rid, window).await
    }

    pub(crate) async fn pulses(&mut self) -> Result<Vec<Pulse>, QueryError> {
        records::pulses(self).await
    }

    /// Ends the transaction and gives the connection back.
    pub(crate) async fn finish(mut self) -> Result<(), QueryError> {
        self.connection().execute("COMMIT").await?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.finished {
            self.connection.close_on_drop();
        }
    }
}
