//! The writing side: every call is one piece of work on the thread that owns the write connection.

mod file;
mod insert;
mod names;
pub(crate) mod opening;
mod prune;
mod sheets;
mod thread;

use std::io;

use record::Name;

use self::file::{Added, FileWriter, StoredPulse};
use self::insert::Rows;
use self::thread::FileThread;
use super::location::{FileIdentity, Location};
use crate::codes::Kind;
use crate::engine::{Batch, Fold};
use crate::error::{AppendError, OpenError};
use crate::retention::{Prune, Pruned};
use crate::rollup::{Cube, Slice, TierStates};
use crate::writer::WriterHealth;

/// Writes one SQLite file.
#[derive(Debug)]
pub(crate) struct Store {
    location: Location,
    thread: FileThread,
    /// The file that was open when [`Self::ready`] last asked; `None` when that is to be asked again.
    opened: Option<FileIdentity>,
    /// The room for the rows of a batch, used again and again.
    rows: Rows,
}

// === impl Store ===

impl Store {
    pub(crate) async fn open(url: &str) -> Result<Self, OpenError> {
        let location = Location::parse(url)?;
        let lock = opening::lock(&location)?;
        let refusal = |source| OpenError::Thread {
            path: location.path().to_owned(),
            source,
        };
        let thread = FileThread::start(FileWriter::new(location.clone(), lock)).map_err(refusal)?;
        let opened = thread.run(|file, _| file.open()).await;
        // A thread that ended has panicked; what it said is in the log.
        opened.map_err(|ended| refusal(io::Error::other(ended)))??;
        Ok(Self {
            location,
            thread,
            opened: None,
            rows: Rows::default(),
        })
    }

    pub(crate) async fn ready(&mut self) -> Result<bool, AppendError> {
        let there = self.location.identity();
        if there.is_some() && self.opened == there {
            // The thread is not woken for a question that the file system answers.
            return Ok(false);
        }
        let ready = self.thread.run(|file, _| file.ready()).await??;
        self.opened = ready.file;
        Ok(ready.fresh)
    }

    pub(crate) async fn find_names(
        &mut self,
        names: &[(Kind, Name)],
    ) -> Result<Vec<Option<i64>>, AppendError> {
        let names = names.to_vec();
        self.thread
            .run(move |file, _| file.with(|connection| names::find(connection, &names)))
            .await?
    }

    pub(crate) async fn make_names(&mut self, names: &[(Kind, Name)]) -> Result<Vec<i64>, AppendError> {
        let names = names.to_vec();
        self.thread
            .run(move |file, caller| file.write(caller, |connection, _| names::make(connection, &names)))
            .await?
    }

    pub(crate) async fn name_counts(&mut self) -> Result<Vec<(Kind, u64)>, AppendError> {
        self.thread.run(|file, _| file.with(names::counts)).await?
    }

    pub(crate) async fn states(&mut self) -> Result<TierStates, AppendError> {
        self.thread.run(|file, _| file.with(sheets::states)).await?
    }

    pub(crate) async fn sheets(&mut self, slice: Slice) -> Result<Vec<(i64, Vec<u8>)>, AppendError> {
        self.thread
            .run(move |file, _| file.with(|connection| sheets::all(connection, slice)))
            .await?
    }

    pub(crate) async fn first_sheet(
        &mut self,
        cube: Cube,
        seconds: i64,
        from_s: i64,
    ) -> Result<Option<i64>, AppendError> {
        self.thread
            .run(move |file, _| file.with(|connection| sheets::first(connection, cube, seconds, from_s)))
            .await?
    }

    pub(crate) async fn append(&mut self, batch: Batch<'_>) -> Result<(), AppendError> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.set(batch.rows);
        let pulse = batch.pulse.map(StoredPulse::of).transpose()?;
        let sheets = batch.sheets.to_vec();
        let appended = self
            .thread
            .run(move |file, caller| file.append(caller, Added { rows, sheets, pulse }))
            .await?;
        self.rows = appended.rows;
        if appended.outcome.is_err() {
            self.opened = None;
        }
        appended.outcome
    }

    pub(crate) async fn fold(&mut self, fold: &Fold) -> Result<(), AppendError> {
        let fold = fold.clone();
        self.thread
            .run(move |file, caller| {
                file.write(caller, |connection, batch| sheets::fold(connection, &fold, batch))
            })
            .await?
    }

    pub(crate) async fn prune(&mut self, prune: &Prune) -> Result<Pruned, AppendError> {
        let prune = prune.clone();
        self.thread
            .run(move |file, caller| {
                let mut pruned = file.write(caller, |connection, _| prune::step(connection, &prune))?;
                pruned.more |= file.with(prune::shrink)?;
                Ok(pruned)
            })
            .await?
    }

    pub(crate) async fn set_aside(&mut self) -> Result<(), AppendError> {
        self.opened = None;
        self.thread.run(|file, _| file.set_aside()).await?
    }

    pub(crate) fn health(&self) -> WriterHealth {
        WriterHealth {
            file_bytes: self.location.file_bytes(),
            wal_bytes: self.location.wal_bytes(),
        }
    }

    pub(crate) async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        self.thread
            .run(move |file, _| {
                // A pragma takes no bound values; a number cannot be anything else.
                let text = format!("PRAGMA max_page_count = {pages}");
                file.with(|connection| connection.execute_batch(&text))
            })
            .await?
    }

    pub(crate) async fn close(self) -> Result<(), AppendError> {
        self.thread.run(|file, _| file.close()).await?
    }
}
