//! The border between what is the same for every database and SQL.
//!
//! On this side: which cells a request belongs to, what is folded when, how a window is covered, what an
//! answer is made of. Beyond it, in `sqlite` (and in every other engine): statements, transactions, files.
//! An engine speaks in rows of [`crate::columns`], [`Sheet`]s, numbers of names and [`TierStates`]; it merges
//! nothing and decides nothing about time.

use record::{MetricRecord, Name, Pulse, UnixMillis};

use crate::cell::Sample;
use crate::codes::Kind;
use crate::dictionary::Entry;
use crate::error::{AppendError, OpenError, QueryError};
use crate::reader::NameCache;
use crate::reader::Selection;
use crate::retention::{Prune, Pruned};
use crate::rollup::{Bucket, Cube, Slice, TierStates};
use crate::sheet::Sheet;
use crate::sqlite;
use crate::words::By;
use crate::writer::WriterHealth;

/// What one transaction of the writer adds. All of it is stored, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) rows: &'a [Entry<'a>],
    /// Added to what the buckets hold already.
    pub(crate) sheets: &'a [Sheet],
    pub(crate) pulse: Option<&'a Pulse>,
}

/// What one transaction of the writer puts in order. All of it is done, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fold {
    /// Buckets whose sheets of this writer go.
    pub(crate) emptied: Vec<Bucket>,
    /// Sheets that are added afterwards.
    pub(crate) sheets: Vec<Sheet>,
    /// How far tiers are folded then.
    pub(crate) marks: Vec<Mark>,
}

/// How far a tier is folded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    pub(crate) cube: Cube,
    pub(crate) seconds: i64,
    pub(crate) folded_until_s: i64,
}

/// The writing side of an engine. Every method may be dropped half-way: what was not committed is undone
/// before the next one does anything.
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(sqlite::Store),
}

/// The reading side of an engine: opens sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite(sqlite::Connections),
}

/// A read transaction: all its answers are about the same moment. Dropped before [`Self::finish`], it stops
/// what the database is doing.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlite(sqlite::Session),
}

// === impl Store ===

impl Store {
    /// Opens the ledger behind a URL for writing: takes its lock, checks and migrates it.
    pub(crate) async fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self::Sqlite(sqlite::Store::open(url).await?))
    }

    /// Makes sure that the ledger is there and open. `true` when it is another one than before, or opened
    /// again: whatever is remembered about its content must then be forgotten.
    pub(crate) async fn ready(&mut self) -> Result<bool, AppendError> {
        match self {
            Self::Sqlite(store) => store.ready().await,
        }
    }

    /// The numbers of some strings, in their order; `None` for one that has none yet.
    pub(crate) async fn find_names(
        &mut self,
        names: &[(Kind, Name)],
    ) -> Result<Vec<Option<i64>>, AppendError> {
        match self {
            Self::Sqlite(store) => store.find_names(names).await,
        }
    }

    /// Gives numbers to strings that have none, in their order. Committed at once: a number without any use
    /// does no harm.
    pub(crate) async fn make_names(&mut self, names: &[(Kind, Name)]) -> Result<Vec<i64>, AppendError> {
        match self {
            Self::Sqlite(store) => store.make_names(names).await,
        }
    }

    /// How many strings of each kind there are.
    pub(crate) async fn name_counts(&mut self) -> Result<Vec<(Kind, u64)>, AppendError> {
        match self {
            Self::Sqlite(store) => store.name_counts().await,
        }
    }

    /// What the tiers of this writer hold.
    pub(crate) async fn states(&mut self) -> Result<TierStates, AppendError> {
        match self {
            Self::Sqlite(store) => store.states().await,
        }
    }

    /// The sheets of this writer in a slice, by begin of their bucket, in its order.
    pub(crate) async fn sheets(&mut self, slice: Slice) -> Result<Vec<(i64, Vec<u8>)>, AppendError> {
        match self {
            Self::Sqlite(store) => store.sheets(slice).await,
        }
    }

    /// Begin of the first bucket of a tier, not before a moment, for which this writer has a sheet.
    pub(crate) async fn first_sheet(
        &mut self,
        cube: Cube,
        seconds: i64,
        from_s: i64,
    ) -> Result<Option<i64>, AppendError> {
        match self {
            Self::Sqlite(store) => store.first_sheet(cube, seconds, from_s).await,
        }
    }

    /// Stores a batch in one transaction.
    pub(crate) async fn append(&mut self, batch: Batch<'_>) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.append(batch).await,
        }
    }

    /// Puts sheets in order, in one transaction.
    pub(crate) async fn fold(&mut self, fold: &Fold) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.fold(fold).await,
        }
    }

    /// Deletes a bounded number of rows and sheets, and gives free space back.
    pub(crate) async fn prune(&mut self, prune: &Prune) -> Result<Pruned, AppendError> {
        match self {
            Self::Sqlite(store) => store.prune(prune).await,
        }
    }

    /// Takes a ledger that turned out to be corrupt out of the way; the next call begins a new one.
    pub(crate) async fn set_aside(&mut self) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.set_aside().await,
        }
    }

    /// Sizes, for metrics.
    pub(crate) fn health(&self) -> WriterHealth {
        match self {
            Self::Sqlite(store) => store.health(),
        }
    }

    /// Bounds the size, for tests of what happens on a full disk.
    pub(crate) async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.limit_pages(pages).await,
        }
    }

    /// Puts everything in its place and closes it.
    pub(crate) async fn close(self) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.close().await,
        }
    }
}

// === impl Engine ===

impl Engine {
    /// Names the ledger to read; nothing is opened yet, and it need not exist.
    pub(crate) fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self::Sqlite(sqlite::Connections::open(url)?))
    }

    /// Begins a read transaction; `None` while there is no ledger that this version can read.
    pub(crate) async fn session(&self) -> Result<Option<Session>, QueryError> {
        match self {
            Self::Sqlite(connections) => Ok(connections.session().await?.map(Session::Sqlite)),
        }
    }
}

// === impl Session ===

impl Session {
    /// Strings by number that earlier sessions of the same ledger have seen.
    pub(crate) fn name_cache(&self) -> NameCache {
        match self {
            Self::Sqlite(session) => session.name_cache(),
        }
    }

    /// The strings behind some numbers.
    pub(crate) async fn names(&mut self, ids: &[i64]) -> Result<Vec<(i64, Name)>, QueryError> {
        match self {
            Self::Sqlite(session) => session.names(ids).await,
        }
    }

    /// The numbers of those of some strings that have one.
    pub(crate) async fn find_names(&mut self, kind: Kind, names: &[Name]) -> Result<Vec<i64>, QueryError> {
        match self {
            Self::Sqlite(session) => session.find_names(kind, names).await,
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
        }
    }

    /// What every tier holds: what the tiers of all writers hold.
    pub(crate) async fn states(&mut self) -> Result<TierStates, QueryError> {
        match self {
            Self::Sqlite(session) => session.states().await,
        }
    }

    /// When the newest stored request began.
    pub(crate) async fn newest(&mut self) -> Result<Option<UnixMillis>, QueryError> {
        match self {
            Self::Sqlite(session) => session.newest().await,
        }
    }

    /// When the oldest stored request that began at `from` or later began.
    pub(crate) async fn oldest(&mut self, from: UnixMillis) -> Result<Option<UnixMillis>, QueryError> {
        match self {
            Self::Sqlite(session) => session.oldest(from).await,
        }
    }

    /// How many stored requests began in `[from, to)`.
    pub(crate) async fn tally(&mut self, window: (UnixMillis, UnixMillis)) -> Result<u64, QueryError> {
        match self {
            Self::Sqlite(session) => session.tally(window).await,
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
        }
    }

    /// Begins of the buckets of a slice for which there is any sheet, in their order.
    pub(crate) async fn begins(&mut self, slice: Slice) -> Result<Vec<i64>, QueryError> {
        match self {
            Self::Sqlite(session) => session.begins(slice).await,
        }
    }

    /// Requests in the sheets of a slice, without reading these.
    pub(crate) async fn count(&mut self, slice: Slice) -> Result<u64, QueryError> {
        match self {
            Self::Sqlite(session) => session.count(slice).await,
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
        }
    }

    /// Every pulse that can be read, by instance name.
    pub(crate) async fn pulses(&mut self) -> Result<Vec<Pulse>, QueryError> {
        match self {
            Self::Sqlite(session) => session.pulses().await,
        }
    }

    /// Ends the transaction.
    pub(crate) async fn finish(self) -> Result<(), QueryError> {
        match self {
            Self::Sqlite(session) => session.finish().await,
        }
    }
}
