//! The writing side: batches of records into a ledger. Called by the proxy's writer thread.

use record::{MetricRecord, Pulse, UnixMillis};

use crate::dictionary::Dictionary;
use crate::engine::{Batch, Store};
use crate::error::{AppendError, OpenError};
use crate::fold::Folding;
use crate::history::History;
use crate::remainder::ClosedRemainder;
use crate::retention::{self, Keep, Pruned};
use crate::rollup::{Cube, TIERS, TierStates, second_of};

/// Pulses between two looks for writers that are gone and have left something to do: a quarter of a minute.
const ADOPT_EVERY: u32 = 15;

/// Writes records and pulses. There is at most one for a SQLite ledger, and for each name in PostgreSQL; a
/// second one is refused.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// What is known about the content of the ledger; `None` until it is read, and after any doubt.
    memory: Option<Memory>,
    /// Pulses until now, to do now and then what need not be done at each.
    pulses: u32,
}

/// Sizes for the metrics of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WriterHealth {
    /// Bytes of the database; `None` when it is not there, or not on this machine.
    pub file_bytes: Option<u64>,
    /// Bytes of the write-ahead log; 0 when there is none.
    pub wal_bytes: u64,
}

/// What is known about the content of the ledger.
#[derive(Debug)]
struct Memory {
    dictionary: Dictionary,
    states: TierStates,
    folding: Folding,
}

// === impl Writer ===

impl Writer {
    /// Opens a ledger as its only writer: [`Self::open_as`] without a name.
    ///
    /// # Errors
    /// One line that names the ledger and what to do.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_as(url, "writer").await
    }

    /// Opens the ledger behind `sqlite:///absolute/path.db` or `sqlite://relative/path.db`: makes its folder,
    /// takes the lock, checks the file (a corrupt one is moved aside and a new one begun) and migrates it.
    ///
    /// Behind `postgres://user:password@host/database`, any number of writers write at once, and `instance`
    /// tells them apart: two of one name at a time are refused. SQLite takes no notice of it.
    ///
    /// # Errors
    /// One line that names the ledger and what to do.
    pub async fn open_as(url: &str, instance: &str) -> Result<Self, OpenError> {
        Ok(Self {
            store: Store::open(url, &instance.into()).await?,
            memory: None,
            pulses: 0,
        })
    }

    /// Stores a batch and the pulse in one transaction: rows, rollup cells and all.
    ///
    /// A file that was deleted, replaced or found corrupt while running is begun anew first (a corrupt one is
    /// kept beside it).
    ///
    /// # Errors
    /// Nothing of the batch is stored. Keep it and try again later.
    pub async fn append(
        &mut self,
        records: &[MetricRecord],
        pulse: Option<&Pulse>,
    ) -> Result<(), AppendError> {
        self.try_twice(records, pulse).await
    }

    /// Counts the requests of a remainder in the sums, and stores no rows: for requests whose records could
    /// not be kept while the ledger took none. Sums and percentiles of whole minutes then count them; single
    /// requests, and questions that only rows answer, do not.
    ///
    /// # Errors
    /// Nothing of it is counted, or nobody knows. Keep it and try again later: it is counted once.
    pub async fn append_remainder(&mut self, remainder: &ClosedRemainder) -> Result<(), AppendError> {
        self.refresh().await?;
        // One of its requests stands for all of it where a commit was not confirmed.
        let first = remainder.first();
        if !first.is_empty() && self.store.already_stored(first) == first.len() {
            self.store.confirmed(first);
            return Ok(());
        }
        let mut memory = self.recall().await?;
        let store = &mut self.store;
        if let Some(latest) = remainder.latest() {
            let (folding, states) = (&mut memory.folding, &mut memory.states);
            folding.put_in_order(store, states, second_of(latest)).await?;
        }
        let sheets = remainder
            .sheets(store, &mut memory.dictionary, &memory.states)
            .await?;
        let batch = Batch {
            records: first,
            rows: &[],
            sheets: &sheets,
            pulse: None,
        };
        let outcome = store.append(batch).await;
        if outcome.is_ok() {
            store.confirmed(first);
            memory.folding.stored(&sheets);
        }
        self.memory = Some(memory);
        outcome
    }

    /// Begins to fill an empty ledger with a past, as it would stand at `now` with retention `keep`: for
    /// generators of test data.
    ///
    /// # Errors
    /// The ledger is not empty, or the database refused.
    pub async fn history(&mut self, keep: &Keep, now: UnixMillis) -> Result<History<'_>, AppendError> {
        self.refresh().await?;
        self.memory = None;
        if self.store.first_sheet(Cube::Route, TIERS[0], 0).await?.is_some() {
            return Err(AppendError::NotEmpty);
        }
        History::begin(&mut self.store, keep, now).await
    }

    /// Sizes of the files. Two system calls.
    #[must_use]
    pub fn health(&self) -> WriterHealth {
        self.store.health()
    }

    /// One step of retention: deletes a bounded number of rows and cells that are past their time, and gives
    /// free pages back to the file system. Call it between batches, again at once while it says that there is
    /// more.
    ///
    /// # Errors
    /// Nothing was deleted; try again later.
    pub async fn prune(&mut self, keep: &Keep, now: UnixMillis) -> Result<Pruned, AppendError> {
        self.refresh().await?;
        let states = self.store.states().await?;
        self.store.prune(&retention::plan(keep, &states, now)).await
    }

    /// Bounds the file at a number of its pages (of 16 KiB in a new file), beyond which a batch is refused as
    /// on a full disk.
    ///
    /// # Errors
    /// The database refused.
    pub async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        self.store.limit_pages(pages).await
    }

    /// Writes the log back into the file, so that one file holds everything, and closes it.
    ///
    /// # Errors
    /// The checkpoint failed. Nothing is lost: the next start reads the log.
    pub async fn close(self) -> Result<(), AppendError> {
        self.store.close().await
    }

    async fn try_twice(
        &mut self,
        records: &[MetricRecord],
        pulse: Option<&Pulse>,
    ) -> Result<(), AppendError> {
        match self.attempt(records, pulse).await {
            Err(error) if error.is_corrupt() => {
                tracing::error!(error = %error, "the ledger turned out to be corrupt: {error:?}");
                self.store.set_aside().await?;
                self.attempt(records, pulse).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&mut self, records: &[MetricRecord], pulse: Option<&Pulse>) -> Result<(), AppendError> {
        self.refresh().await?;
        let mut memory = self.recall().await?;
        let store = &mut self.store;
        let given = records;
        let records = &records[store.already_stored(records)..];
        let latest = records
            .iter()
            .map(|record| record.started_at)
            .chain(pulse.map(|pulse| pulse.at))
            .max();
        if let Some(latest) = latest {
            let now_s = second_of(latest);
            memory
                .folding
                .put_in_order(store, &mut memory.states, now_s)
                .await?;
            if pulse.is_some() {
                self.pulses = self.pulses.wrapping_add(1);
                if self.pulses.is_multiple_of(ADOPT_EVERY) {
                    adopt(store, now_s).await?;
                }
            }
        }
        let entries = memory.dictionary.entries(store, records).await?;
        let mut sheets = Folding::sheets(&entries, &memory.states);
        let live_s = pulse.map(|pulse| second_of(pulse.at));
        if let Some(at_s) = live_s {
            memory.folding.add_live(at_s, &mut sheets);
        }
        let batch = Batch {
            records,
            rows: &entries,
            sheets: &sheets,
            pulse,
        };
        let outcome = store.append(batch).await;
        if outcome.is_ok() {
            store.confirmed(given);
            memory.folding.stored(&sheets);
            if let Some(at_s) = live_s {
                memory.folding.lived(at_s);
            }
        }
        self.memory = Some(memory);
        outcome
    }

    /// What is known about the ledger. Taken, so that a call that is dropped half-way leaves nothing behind
    /// that may be wrong.
    async fn recall(&mut self) -> Result<Memory, AppendError> {
        Ok(match self.memory.take() {
            Some(memory) => memory,
            None => Memory {
                dictionary: Dictionary::open(&mut self.store).await?,
                states: self.store.states().await?,
                folding: Folding::default(),
            },
        })
    }

    /// Makes sure that the ledger is there, and forgets what was known about another one.
    async fn refresh(&mut self) -> Result<(), AppendError> {
        if self.store.ready().await? {
            self.memory = None;
        }
        Ok(())
    }
}

/// Puts the sheets of a writer in order that is gone, if there is one.
async fn adopt(store: &mut Store, now_s: i64) -> Result<(), AppendError> {
    if !store.adopt().await? {
        return Ok(());
    }
    let mut states = store.states().await?;
    let outcome = Folding::default().put_in_order(store, &mut states, now_s).await;
    store.let_go().await?;
    outcome
}
