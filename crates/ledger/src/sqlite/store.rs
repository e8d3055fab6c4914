//! The one write connection: opened and opened again, and its transactions.

use std::fs::File;

use record::{Name, Pulse};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::insert::{Inserts, Sequence};
use super::location::{FileIdentity, Location};
use super::{names, opening, prune, sheets};
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
    /// Held as long as the writer lives; the lock goes with the file.
    _lock: File,
    inserts: Inserts,
    session: Option<Session>,
    /// The session was opened after the last [`Self::ready`].
    fresh: bool,
}

/// An open file, and what is known about its content.
#[derive(Debug)]
struct Session {
    connection: SqliteConnection,
    file: Option<FileIdentity>,
    sequence: Sequence,
    /// Transactions committed to this file.
    batch: i64,
    /// A transaction was begun and its end not seen: an append was dropped half-way.
    open: bool,
}

// === impl Store ===

impl Store {
    pub(crate) async fn open(url: &str) -> Result<Self, OpenError> {
        let location = Location::parse(url)?;
        let lock = opening::lock(&location)?;
        let session = Session::open(&location).await?;
        Ok(Self {
            location,
            _lock: lock,
            inserts: Inserts::new(),
            session: Some(session),
            fresh: true,
        })
    }

    pub(crate) async fn ready(&mut self) -> Result<bool, AppendError> {
        if let Some(session) = &self.session
            && session.file != self.location.identity()
        {
            tracing::error!(
                ledger = %self.location.path().display(),
                "the ledger {} was moved or deleted while running; a new one is begun",
                self.location.path().display()
            );
            self.close_session().await;
            self.remove_stale_log();
        }
        self.session().await?;
        Ok(std::mem::take(&mut self.fresh))
    }

    pub(crate) async fn find_names(
        &mut self,
        names: &[(Kind, Name)],
    ) -> Result<Vec<Option<i64>>, AppendError> {
        let session = self.session().await?;
        session.settle().await?;
        Ok(names::find(&mut session.connection, names).await?)
    }

    pub(crate) async fn make_names(&mut self, names: &[(Kind, Name)]) -> Result<Vec<i64>, AppendError> {
        let session = self.session().await?;
        session.begin().await?;
        let made = names::make(&mut session.connection, names).await;
        session.end(made).await
    }

    pub(crate) async fn name_counts(&mut self) -> Result<Vec<(Kind, u64)>, AppendError> {
        let session = self.session().await?;
        Ok(names::counts(&mut session.connection).await?)
    }

    pub(crate) async fn states(&mut self) -> Result<TierStates, AppendError> {
        let session = self.session().await?;
        session.settle().await?;
        Ok(sheets::states(&mut session.connection).await?)
    }

    pub(crate) async fn sheets(&mut self, slice: Slice) -> Result<Vec<(i64, Vec<u8>)>, AppendError> {
        let session = self.session().await?;
        session.settle().await?;
        Ok(sheets::all(&mut session.connection, slice).await?)
    }

    pub(crate) async fn first_sheet(
        &mut self,
        cube: Cube,
        seconds: i64,
        from_s: i64,
    ) -> Result<Option<i64>, AppendError> {
        let session = self.session().await?;
        session.settle().await?;
        Ok(sheets::first(&mut session.connection, cube, seconds, from_s).await?)
    }

    pub(crate) async fn append(&mut self, batch: Batch<'_>) -> Result<(), AppendError> {
        self.session().await?;
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        session.begin().await?;
        let filled = session.fill(&self.inserts, batch).await;
        let outcome = session.end(filled).await;
        self.leave_broken(outcome).await
    }

    pub(crate) async fn fold(&mut self, fold: &Fold) -> Result<(), AppendError> {
        let session = self.session().await?;
        session.begin().await?;
        let done = sheets::fold(&mut session.connection, fold, session.batch).await;
        let outcome = session.end(done).await;
        self.leave_broken(outcome).await
    }

    pub(crate) async fn prune(&mut self, prune: &Prune) -> Result<Pruned, AppendError> {
        let session = self.session().await?;
        session.begin().await?;
        let done = prune::step(&mut session.connection, prune).await;
        let mut pruned = session.end(done).await?;
        pruned.more |= prune::shrink(&mut session.connection).await?;
        Ok(pruned)
    }

    pub(crate) async fn set_aside(&mut self) -> Result<(), AppendError> {
        self.close_session().await;
        if self.location.identity().is_some() {
            opening::move_aside(&self.location)?;
        }
        Ok(())
    }

    pub(crate) fn health(&self) -> WriterHealth {
        WriterHealth {
            file_bytes: self.location.file_bytes(),
            wal_bytes: self.location.wal_bytes(),
        }
    }

    pub(crate) async fn limit_pages(&mut self, pages: u32) -> Result<(), AppendError> {
        let session = self.session().await?;
        // A pragma takes no bound values; a number cannot be anything else.
        let text = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(text).execute(&mut session.connection).await?;
        Ok(())
    }

    pub(crate) async fn close(mut self) -> Result<(), AppendError> {
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

    async fn session(&mut self) -> Result<&mut Session, AppendError> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.location).await?);
            self.fresh = true;
        }
        self.session
            .as_mut()
            .ok_or(AppendError::Database(sqlx::Error::WorkerCrashed))
    }

    /// When not even the rollback went through: begin with a fresh connection next time.
    async fn leave_broken<T>(&mut self, outcome: Result<T, AppendError>) -> Result<T, AppendError> {
        if outcome.is_err() && self.session.as_ref().is_some_and(|session| session.open) {
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
            sequence,
            batch,
            open: false,
        })
    }

    /// Everything of a batch, in the open transaction.
    async fn fill(&mut self, inserts: &Inserts, batch: Batch<'_>) -> Result<(), sqlx::Error> {
        let connection = &mut self.connection;
        inserts.insert(connection, &mut self.sequence, batch.rows).await?;
        sheets::add(connection, batch.sheets, self.batch).await?;
        if let Some(pulse) = batch.pulse {
            put_pulse(connection, pulse).await?;
        }
        Ok(())
    }

    /// Begins a transaction that may write.
    async fn begin(&mut self) -> Result<(), AppendError> {
        self.settle().await?;
        // IMMEDIATE: a transaction that begins by reading may fail at its first write, and no waiting would
        // help. Set before, not after: a call that is dropped while SQLite begins must not leave this unsaid.
        self.open = true;
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await {
            self.open = false;
            return Err(error.into());
        }
        Ok(())
    }

    /// Ends the transaction: commits when its work went well, else undoes it.
    async fn end<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, AppendError> {
        match done {
            Ok(done) => {
                self.commit().await?;
                Ok(done)
            }
            Err(error) => {
                // The first error is the one to report; a failed rollback leaves `open` set, which the caller
                // sees.
                let _ = self.roll_back().await;
                Err(error.into())
            }
        }
    }

    /// Undoes a transaction whose end was not seen.
    async fn settle(&mut self) -> Result<(), AppendError> {
        if self.open {
            self.roll_back().await?;
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
        Ok(())
    }

    /// SQLite rolls back by itself when the disk is full, and then says that there is no transaction: just as
    /// well.
    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
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
