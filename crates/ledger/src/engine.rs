//! The border between what is the same for every database and SQL.
//!
//! On this side: which cells a request belongs to, what is folded when, how a window is covered, what an
//! answer is made of. Beyond it, in `sqlite` (and in every other engine): statements, transactions, files.
//! An engine speaks in rows of [`crate::columns`], [`Sheet`]s, numbers of names and [`TierStates`]; it merges
//! nothing and decides nothing about time.

mod session;

use record::{MetricRecord, Name, Pulse};

use crate::codes::Kind;
use crate::dictionary::Entry;
use crate::error::{AppendError, OpenError, QueryError};
use crate::postgres::Progress;
use crate::retention::{Prune, Pruned};
use crate::rollup::{Bucket, Cube, Slice, TierStates};
use crate::sheet::Sheet;
use crate::writer::WriterHealth;
use crate::{postgres, sqlite};

pub(crate) use session::Session;

/// What one transaction of the writer adds. All of it is stored, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// All that the batch is about, also where only their sheets are stored.
    pub(crate) records: &'a [MetricRecord],
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
    Postgres(Box<postgres::Store>),
}

/// The reading side of an engine: opens sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite(sqlite::Connections),
    Postgres(postgres::Connections),
}

// === impl Store ===

impl Store {
    /// Opens the ledger behind a URL for writing: takes its lock, checks and migrates it. `instance` tells
    /// the writers of one PostgreSQL ledger apart.
    pub(crate) async fn open(url: &str, instance: &Name) -> Result<Self, OpenError> {
        if postgres::is_postgres(url) {
            let store = postgres::Store::open(url, instance).await?;
            return Ok(Self::Postgres(Box::new(store)));
        }
        Ok(Self::Sqlite(sqlite::Store::open(url).await?))
    }

    /// Makes sure that the ledger is there and open. `true` when it is another one than before, or opened
    /// again: whatever is remembered about its content must then be forgotten.
    pub(crate) async fn ready(&mut self) -> Result<bool, AppendError> {
        match self {
            Self::Sqlite(store) => store.ready().await,
            Self::Postgres(store) => store.ready().await,
        }
    }

    /// How many of these records, from the first on, are stored already: those of an earlier batch that went
    /// through although the answer did not.
    pub(crate) fn already_stored(&self, records: &[MetricRecord]) -> usize {
        match self {
            // A file answers.
            Self::Sqlite(_) => 0,
            Self::Postgres(store) => store.already_stored(records),
        }
    }

    /// Tells that the caller knows these records as stored, and will not try them again.
    pub(crate) fn confirmed(&mut self, records: &[MetricRecord]) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(store) => store.confirmed(records),
        }
    }

    /// Begins to act for a writer that is gone and whose tiers lag behind; `false` when there is none.
    pub(crate) async fn adopt(&mut self) -> Result<bool, AppendError> {
        match self {
            // A file has one writer.
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(store) => store.adopt().await,
        }
    }

    /// Ends what [`Self::adopt`] began.
    pub(crate) async fn let_go(&mut self) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.let_go().await,
        }
    }

    /// The numbers of some strings, in their order; `None` for one that has none yet.
    pub(crate) async fn find_names(
        &mut self,
        names: &[(Kind, Name)],
    ) -> Result<Vec<Option<i64>>, AppendError> {
        match self {
            Self::Sqlite(store) => store.find_names(names).await,
            Self::Postgres(store) => store.find_names(names).await,
        }
    }

    /// Gives numbers to strings that have none, in their order. Committed at once: a number without any use
    /// does no harm.
    pub(crate) async fn make_names(&mut self, names: &[(Kind, Name)]) -> Result<Vec<i64>, AppendError> {
        match self {
            Self::Sqlite(store) => store.make_names(names).await,
            Self::Postgres(store) => store.make_names(names).await,
        }
    }

    /// How many strings of each kind there are.
    pub(crate) async fn name_counts(&mut self) -> Result<Vec<(Kind, u64)>, AppendError> {
        match self {
            Self::Sqlite(store) => store.name_counts().await,
            Self::Postgres(store) => store.name_counts().await,
        }
    }

    /// What the tiers of this writer hold.
    pub(crate) async fn states(&mut self) -> Result<TierStates, AppendError> {
        match self {
            Self::Sqlite(store) => store.states().await,
            Self::Postgres(store) => store.states().await,
        }
    }

    /// The sheets of this writer in a slice, by begin of their bucket, in its order.
    pub(crate) async fn sheets(&mut self, slice: Slice) -> Result<Vec<(i64, Vec<u8>)>, AppendError> {
        match self {
            Self::Sqlite(store) => store.sheets(slice).await,
            Self::Postgres(store) => store.sheets(slice).await,
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
            Self::Postgres(store) => store.first_sheet(cube, seconds, from_s).await,
        }
    }

    /// Stores a batch in one transaction.
    pub(crate) async fn append(&mut self, batch: Batch<'_>) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.append(batch).await,
            Self::Postgres(store) => store.append(batch).await,
        }
    }

    /// Puts sheets in order, in one transaction.
    pub(crate) async fn fold(&mut self, fold: &Fold) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.fold(fold).await,
            Self::Postgres(store) => store.fold(fold).await,
        }
    }

    /// Deletes a bounded number of rows and sheets, and gives free space back.
    pub(crate) async fn prune(&mut self, prune: &Prune) -> Result<Pruned, AppendError> {
        match self {
            Self::Sqlite(store) => store.prune(prune).await,
            Self::Postgres(store) => store.prune(prune).await,
        }
    }

    /// Takes a ledger that turned out to be corrupt out of the way; the next call begins a new one.
    pub(crate) async fn set_aside(&mut self) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.set_aside().await,
            // Its server keeps it sound.
            Self::Postgres(_) => Ok(()),
        }
    }

    /// How far a copy into this ledger is; `None` when it was finished.
    pub(crate) async fn copied(&mut self) -> Result<Option<Progress>, AppendError> {
        match self {
            // Nothing is copied into a file.
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(store) => store.copied().await,
        }
    }

    /// Stores rows of a copy, and how far it is then, in one transaction.
    pub(crate) async fn copy_rows(
        &mut self,
        entries: &[Entry<'_>],
        progress: Progress,
    ) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.copy_rows(entries, progress).await,
        }
    }

    /// Stores all sums of a copy, by which it ends. Returns how many requests they count.
    pub(crate) async fn copy_sheets(
        &mut self,
        sheets: &[Sheet],
        states: &TierStates,
    ) -> Result<u64, AppendError> {
        match self {
            Self::Sqlite(_) => Ok(0),
            Self::Postgres(store) => store.copy_sheets(sheets, states).await,
        }
    }

    /// Sizes, for metrics.
    pub(crate) fn health(&self) -> WriterHealth {
        match self {
            Self::Sqlite(store) => store.health(),
            Self::Postgres(store) => store.health(),
        }
    }

    /// Bounds the size, for tests of what happens on a full disk.
    pub(crate) async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.limit_pages(pages).await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Puts everything in its place and closes it.
    pub(crate) async fn close(self) -> Result<(), AppendError> {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

// === impl Engine ===

impl Engine {
    /// Names the ledger to read; nothing is opened yet, and it need not exist.
    pub(crate) fn open(url: &str) -> Result<Self, OpenError> {
        if postgres::is_postgres(url) {
            return Ok(Self::Postgres(postgres::Connections::open(url)?));
        }
        Ok(Self::Sqlite(sqlite::Connections::open(url)?))
    }

    /// Begins a read transaction; `None` while there is no ledger that this version can read.
    pub(crate) async fn session(&self) -> Result<Option<Session>, QueryError> {
        match self {
            Self::Sqlite(connections) => Ok(connections.session().await?.map(Session::Sqlite)),
            Self::Postgres(connections) => Ok(connections.session().await?.map(Session::Postgres)),
        }
    }
}
