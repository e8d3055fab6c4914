//! The writing side: one connection, one transaction a batch. Called by the proxy's writer thread.

use std::fs::File;

use record::{MetricRecord, Pulse, UnixMillis};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::dictionary::Dictionary;
use crate::error::{AppendError, OpenError, is_corrupt};
use crate::fold::Folding;
use crate::insert::{Inserts, Sequence};
use crate::location::{FileIdentity, Location};
use crate::opening;
use crate::retention::{self, Keep, Pruned};
use crate::rollup::second_of;

/// Writes records and pulses. There is at most one for a ledger; a second one is refused.
#[derive(Debug)]
pub struct Writer {
    location: Location,
    /// Held as long as the writer lives; the lock goes with the file.
    _lock: File,
    statements: Statements,
    session: Option<Session>,
}

/// Sizes for the metrics of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WriterHealth {
    /// Bytes of the database file; `None` when it is not there.
    pub file_bytes: Option<u64>,
    /// Bytes of the write-ahead log; 0 when there is none.
    pub wal_bytes: u64,
}

/// The texts that every session runs.
#[derive(Debug)]
struct Statements {
    inserts: Inserts,
    folding: Folding,
}

/// An open file, and what is known about its content.
#[derive(Debug)]
struct Session {
    connection: SqliteConnection,
    file: Option<FileIdentity>,
    dictionary: Dictionary,
    sequence: Sequence,
    /// Batches committed to this file.
    batch: i64,
    /// A transaction was begun and its end not seen: an append was dropped half-way.
    open: bool,
}

// === impl Writer ===

impl Writer {
    /// Opens the ledger behind `sqlite:///absolute/path.db` or `sqlite://relative/path.db`: makes its folder,
    /// takes the lock, checks the file (a corrupt one is moved aside and a new one begun) and migrates it.
    ///
    /// # Errors
    /// One line that names the file and what to do.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let location = Location::parse(url)?;
        let lock = opening::lock(&location)?;
        let session = Session::open(&location).await?;
        Ok(Self {
            location,
            _lock: lock,
            statements: Statements {
                inserts: Inserts::new(),
                folding: Folding::new(),
            },
            session: Some(session),
        })
    }

    /// Stores a batch and the pulse in one transaction.
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
        match self.attempt(records, pulse).await {
            Err(AppendError::Sqlite(error)) if is_corrupt(&error) => {
                tracing::error!(error = %error, "the ledger turned out to be corrupt: {error}");
                self.close_session().await;
                if self.location.identity().is_some() {
                    opening::move_aside(&self.location)?;
                }
                self.attempt(records, pulse).await
            }
            outcome => outcome,
        }
    }

    /// Sizes of the files. Two system calls.
    #[must_use]
    pub fn health(&self) -> WriterHealth {
        WriterHealth {
            file_bytes: self.location.file_bytes(),
            wal_bytes: self.location.wal_bytes(),
        }
    }

    /// One step of retention: deletes a bounded number of rows and cells that are past their time, and gives
    /// free pages back to the file system. Call it between batches, again at once while it says that there is
    /// more.
    ///
    /// # Errors
    /// Nothing was deleted; try again later.
    pub async fn prune(&mut self, keep: &Keep, now: UnixMillis) -> Result<Pruned, AppendError> {
        let session = match &mut self.session {
            Some(session) => session,
            None => self.session.insert(Session::open(&self.location).await?),
        };
        session.prune(keep, now).await
    }

    /// Bounds the file at a number of 4 KiB pages, beyond which a batch is refused as on a full disk.
    ///
    /// # Errors
    /// SQLite refused.
    pub async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        if let Some(session) = &mut self.session {
            // A pragma takes no bound values; a number cannot be anything else.
            let text = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            sqlx::query(text).execute(&mut session.connection).await?;
        }
        Ok(())
    }

    /// Writes the log back into the file, so that one file holds everything, and closes it.
    ///
    /// # Errors
    /// The checkpoint failed. Nothing is lost: the next start reads the log.
    pub async fn close(mut self) -> Result<(), AppendError> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let mut connection = session.connection;
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await;
        connection.close().await?;
        checkpoint?;
        Ok(())
    }

    async fn attempt(&mut self, records: &[MetricRecord], pulse: Option<&Pulse>) -> Result<(), AppendError> {
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.file != self.location.identity())
        {
            tracing::error!(
                ledger = %self.location.path().display(),
                "the ledger {} was moved or deleted while running; a new one is begun",
                self.location.path().display()
            );
            self.close_session().await;
            self.remove_stale_log();
        }
        let session = match &mut self.session {
            Some(session) => session,
            None => self.session.insert(Session::open(&self.location).await?),
        };
        let outcome = session.append(&self.statements, records, pulse).await;
        if outcome.is_err() && session.open {
            // Not even the rollback went through: begin with a fresh connection next time.
            self.close_session().await;
        }
        outcome
    }

    async fn close_session(&mut self) {
        if let Some(session) = self.session.take()
            && let Err(error) = session.connection.close().await
        {
            tracing::warn!(error = %error, "closing the ledger: {error}");
        }
    }

    /// A log without its database would be applied to the new one.
    fn remove_stale_log(&self) {
        if self.location.identity().is_some() {
            return;
        }
        for suffix in ["-wal", "-shm"] {
            if let Err(error) = std::fs::remove_file(self.location.beside(suffix))
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(error = %error, "removing the log of a deleted ledger: {error}");
            }
        }
    }
}

// === impl Session ===

impl Session {
    async fn open(location: &Location) -> Result<Self, OpenError> {
        if let Some(folder) = location.folder() {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let mut connection = opening::connect(location).await?;
        let refusal = |source| OpenError::Sqlite {
            path: location.path().to_owned(),
            source,
        };
        let sequence = Sequence::resume(&mut connection).await.map_err(refusal)?;
        let batch = batch(&mut connection).await.map_err(refusal)?;
        Ok(Self {
            connection,
            file: location.identity(),
            dictionary: Dictionary::default(),
            sequence,
            batch,
            open: false,
        })
    }

    async fn append(
        &mut self,
        statements: &Statements,
        records: &[MetricRecord],
        pulse: Option<&Pulse>,
    ) -> Result<(), AppendError> {
        self.begin().await?;
        match self.fill(statements, records, pulse).await {
            Ok(()) => self.commit().await,
            Err(error) => {
                // The first error is the one to report; a failed rollback leaves `open` set, which the caller
                // sees.
                let _ = self.roll_back().await;
                Err(error)
            }
        }
    }

    async fn prune(&mut self, keep: &Keep, now: UnixMillis) -> Result<Pruned, AppendError> {
        self.begin().await?;
        let mut pruned = match retention::step(&mut self.connection, keep, now).await {
            Ok(pruned) => pruned,
            Err(error) => {
                let _ = self.roll_back().await;
                return Err(error.into());
            }
        };
        self.commit().await?;
        pruned.more |= retention::shrink(&mut self.connection).await?;
        Ok(pruned)
    }

    /// Begins a transaction that may write.
    async fn begin(&mut self) -> Result<(), AppendError> {
        if self.open {
            self.roll_back().await?;
        }
        // IMMEDIATE: a transaction that begins by reading may fail at its first write, and no waiting would
        // help. Set before, not after: a call that is dropped while SQLite begins must not leave this unsaid.
        self.open = true;
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await {
            self.open = false;
            return Err(error.into());
        }
        Ok(())
    }

    /// Everything of a batch, in the open transaction.
    async fn fill(
        &mut self,
        statements: &Statements,
        records: &[MetricRecord],
        pulse: Option<&Pulse>,
    ) -> Result<(), AppendError> {
        let connection = &mut self.connection;
        let entries = self.dictionary.entries(connection, records).await?;
        statements
            .inserts
            .insert(connection, &mut self.sequence, &entries)
            .await?;
        let latest = records
            .iter()
            .map(|record| record.started_at)
            .chain(pulse.map(|pulse| pulse.at))
            .max();
        statements
            .folding
            .fold(connection, &entries, latest.map_or(0, second_of))
            .await?;
        if let Some(pulse) = pulse {
            put_pulse(connection, pulse).await?;
        }
        Ok(())
    }

    /// Ends the transaction, counted, so that its presence in the file can be told.
    async fn commit(&mut self) -> Result<(), AppendError> {
        if let Err(error) = count_batch(&mut self.connection, self.batch + 1).await {
            let _ = self.roll_back().await;
            return Err(error.into());
        }
        let outcome = sqlx::query("COMMIT").execute(&mut self.connection).await;
        if let Err(error) = outcome {
            // Without an open transaction the rollback fails, which tells nothing; the counter does: it
            // stands in the file only if the whole batch does. A batch that is there must not be stored
            // twice.
            let _ = self.roll_back().await;
            if batch(&mut self.connection).await? != self.batch + 1 {
                return Err(error.into());
            }
        }
        self.open = false;
        self.batch += 1;
        self.dictionary.committed();
        Ok(())
    }

    /// SQLite rolls back by itself when the disk is full, and then says that there is no transaction: just as
    /// well.
    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.dictionary.rolled_back();
        match sqlx::query("ROLLBACK").execute(&mut self.connection).await {
            Err(error) if !error.to_string().contains("no transaction is active") => Err(error),
            _ => {
                self.open = false;
                Ok(())
            }
        }
    }
}

async fn batch(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let (batch,): (i64,) = sqlx::query_as("SELECT value FROM meta WHERE key = 'batch'")
        .fetch_one(connection)
        .await?;
    Ok(batch)
}

async fn count_batch(connection: &mut SqliteConnection, batch: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'batch'")
        .bind(batch)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_pulse(connection: &mut SqliteConnection, pulse: &Pulse) -> Result<(), sqlx::Error> {
    let text = serde_json::to_string(pulse).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO pulse (instance, at_ms, pulse, families) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (instance) DO UPDATE \
         SET at_ms = excluded.at_ms, pulse = excluded.pulse, families = excluded.families",
    )
    .bind(&*pulse.instance)
    .bind(pulse.at.0)
    .bind(text)
    .bind(pulse.families.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}
