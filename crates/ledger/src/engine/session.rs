//! The reading half of the border: what an engine answers within one read transaction.

use record::{MetricRecord, Name, Pulse, UnixMillis};

use crate::cell::Sample;
use crate::codes::Kind;
use crate::error::QueryError;
use crate::reader::{NameCache, Selection};
use crate::rollup::{Slice, TierStates};
use crate::words::By;
use crate::{postgres, sqlite};

/// A read transaction: all its answers are about the same moment. Dropped before [`Self::finish`], it stops
/// what the database is doing.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

// === impl Session ===

impl Session {
    /// Strings by number that earlier sessions of the same ledger have seen.
    pub(crate) fn name_cache(&self) -> NameCache {
        match self {
            Self::Sqlite(session) => session.name_cache(),
            Self::Postgres(session) => session.name_cache(),
        }
    }

    /// The strings behind some numbers.
    pub(crate) async fn names(&mut self, ids: &[i64]) -> Result<Vec<(i64, Name)>, QueryError> {
        match self {
            Self::Sqlite(session) => session.names(ids).await,
            Self::Postgres(session) => session.names(ids).await,
        }
    }

    /// The numbers of those of some strings that have one.
    pub(crate) async fn find_names(&mut self, kind: Kind, names: &[Name]) -> Result<Vec<i64>, QueryError> {
        match self {
            Self::Sqlite(session) => session.find_names(kind, names).await,
            Self::Postgres(session) => session.find_names(kind, names).await,
        }
    }

    /// The numbers and strings of a kind that begin with `prefix`.
    pub(crate) async fn names_with(
        &mut self,
        kind: Kind,
        prefix: &str,
    ) -> Result<Vec<(i64, Name)>, QueryError> {
        match self {
            Self::Sqlite(session) => session.names_with(kind, prefix).await,
            Self::Postgres(session) => session.names_with(kind, prefix).await,
        }
    }

    /// What every tier holds: what the tiers of all writers hold.
    pub(crate) async fn states(&mut self) -> Result<TierStates, QueryError> {
        match self {
            Self::Sqlite(session) => session.states().await,
            Self::Postgres(session) => session.states().await,
        }
    }

    /// When the newest stored request began.
    pub(crate) async fn newest(&mut self) -> Result<Option<UnixMillis>, QueryError> {
        match self {
            Self::Sqlite(session) => session.newest().await,
            Self::Postgres(session) => session.newest().await,
        }
    }

    /// When the oldest stored request that began at `from` or later began.
    pub(crate) async fn oldest(&mut self, from: UnixMillis) -> Result<Option<UnixMillis>, QueryError> {
        match self {
            Self::Sqlite(session) => session.oldest(from).await,
            Self::Postgres(session) => session.oldest(from).await,
        }
    }

    /// How many stored requests began in `[from, to)`.
    pub(crate) async fn tally(&mut self, window: (UnixMillis, UnixMillis)) -> Result<u64, QueryError> {
        match self {
            Self::Sqlite(session) => session.tally(window).await,
            Self::Postgres(session) => session.tally(window).await,
        }
    }

    /// Calls `each` with the sheets of all writers in a slice and the begin of their bucket.
    pub(crate) async fn sheets(
        &mut self,
        slice: Slice,
        each: impl FnMut(i64, &[u8]) -> Result<(), QueryError> + Send,
    ) -> Result<(), QueryError> {
        match self {
            Self::Sqlite(session) => session.sheets(slice, each).await,
            Self::Postgres(session) => session.sheets(slice, each).await,
        }
    }

    /// Begins of the buckets of a slice for which there is any sheet, in their order.
    pub(crate) async fn begins(&mut self, slice: Slice) -> Result<Vec<i64>, QueryError> {
        match self {
            Self::Sqlite(session) => session.begins(slice).await,
            Self::Postgres(session) => session.begins(slice).await,
        }
    }

    /// Requests in the sheets of a slice, without reading these.
    pub(crate) async fn count(&mut self, slice: Slice) -> Result<u64, QueryError> {
        match self {
            Self::Sqlite(session) => session.count(slice).await,
            Self::Postgres(session) => session.count(slice).await,
        }
    }

    /// Calls `each` with the rows of `[from, to)` that pass, and the stored value of a dimension: a code, the
    /// number of a name, or for tags the packed numbers.
    pub(crate) async fn scan(
        &mut self,
        selection: &Selection,
        window: (UnixMillis, UnixMillis),
        by: Option<&By>,
        each: impl FnMut(Option<i64>, Option<&str>, &Sample) + Send,
    ) -> Result<(), QueryError> {
        match self {
            Self::Sqlite(session) => session.scan(selection, window, by, each).await,
            Self::Postgres(session) => session.scan(selection, window, by, each).await,
        }
    }

    /// The newest records with row ids in `[from, to)` that pass, newest first, with their row ids.
    pub(crate) async fn page(
        &mut self,
        selection: &Selection,
        ids: std::ops::Range<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, MetricRecord)>, QueryError> {
        match self {
            Self::Sqlite(session) => session.page(selection, ids, limit).await,
            Self::Postgres(session) => session.page(selection, ids, limit).await,
        }
    }

    /// The newest record with a request id that began in `[from, to)`.
    pub(crate) async fn find(
        &mut self,
        rid: &[u8],
        window: (UnixMillis, UnixMillis),
    ) -> Result<Option<MetricRecord>, QueryError> {
        match self {
            Self::Sqlite(session) => session.find(rid, window).await,
            Self::Postgres(session) => session.find(rid, window).await,
        }
    }

    /// Every pulse that can be read, by instance name.
    pub(crate) async fn pulses(&mut self) -> Result<Vec<Pulse>, QueryError> {
        match self {
            Self::Sqlite(session) => session.pulses().await,
            Self::Postgres(session) => session.pulses().await,
        }
    }

    /// Ends the transaction.
    pub(crate) async fn finish(self) -> Result<(), QueryError> {
        match self {
            Self::Sqlite(session) => session.finish().await,
            Self::Postgres(session) => session.finish().await,
        }
    }
}
