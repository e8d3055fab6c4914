//! The one write connection: opened and opened again, and its transactions. Blocks, on its own thread.

use std::fs::File;

use record::Pulse;
use rusqlite::{CachedStatement, Connection, params};

use super::insert::{Rows, Sequence};
use super::thread::Caller;
use super::{opening, sheets};
use crate::error::{AppendError, OpenError};
use crate::sheet::Sheet;
use crate::sqlite::location::{FileIdentity, Location};

/// Statements that stay prepared: more than there are.
const STATEMENTS_LEN: usize = 64;

/// A file, and its connection while there is one.
#[derive(Debug)]
pub(super) struct FileWriter {
    location: Location,
    /// Held as long as the writer lives; the lock goes with the file.
    _lock: File,
    session: Option<Session>,
    /// The session was opened after the last [`Self::ready`].
    fresh: bool,
}

/// The file that is open.
pub(super) struct Ready {
    pub(super) file: Option<FileIdentity>,
    /// It was opened since the last time that was asked.
    pub(super) fresh: bool,
}

/// What a batch adds.
pub(super) struct Added {
    pub(super) rows: Rows,
    pub(super) sheets: Vec<Sheet>,
    pub(super) pulse: Option<StoredPulse>,
}

/// What became of a batch, and the room for the rows of the next one.
pub(super) struct Appended {
    pub(super) rows: Rows,
    pub(super) outcome: Result<(), AppendError>,
}

/// The columns of a pulse.
pub(super) struct StoredPulse {
    instance: String,
    at_ms: i64,
    text: String,
    families: Vec<u8>,
}

/// An open file, and what is known about its content.
#[derive(Debug)]
struct Session {
    connection: Connection,
    file: Option<FileIdentity>,
    sequence: Sequence,
    /// Transactions committed to this file.
    batch: i64,
}

// === impl FileWriter ===

impl FileWriter {
    pub(super) const fn new(location: Location, lock: File) -> Self {
        Self {
            location,
            _lock: lock,
            session: None,
            fresh: false,
        }
    }

    /// Opens the file, if it is not open.
    pub(super) fn open(&mut self) -> Result<(), OpenError> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.location)?);
            self.fresh = true;
        }
        Ok(())
    }

    /// Opens the file, again when it is not the one that was opened.
    pub(super) fn ready(&mut self) -> Result<Ready, AppendError> {
        if let Some(session) = &self.session
            && session.file != self.location.identity()
        {
            tracing::error!(
                ledger = %self.location.path().display(),
                "the ledger {} was moved or deleted while running; a new one is begun",
                self.location.path().display()
            );
            self.close_session();
            self.remove_stale_log();
        }
        let file = self.session()?.file;
        let fresh = std::mem::take(&mut self.fresh);
        Ok(Ready { file, fresh })
    }

    /// Work outside of any transaction of ours.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, AppendError> {
        Ok(work(&self.session()?.connection)?)
    }

    /// Work in a transaction of its own; it is given the number of the transaction.
    pub(super) fn write<T>(
        &mut self,
        caller: Caller<'_>,
        work: impl FnOnce(&Connection, i64) -> rusqlite::Result<T>,
    ) -> Result<T, AppendError> {
        let batch = self.session()?.batch;
        self.transact(caller, |session| work(&session.connection, batch))
    }

    /// Everything of a batch, in one transaction.
    pub(super) fn append(&mut self, caller: Caller<'_>, batch: Added) -> Appended {
        let Added { rows, sheets, pulse } = batch;
        let outcome = self.transact(caller, |session| {
            rows.insert(&session.connection, &mut session.sequence)?;
            sheets::add(&session.connection, &sheets, session.batch)?;
            match pulse {
                Some(pulse) => pulse.put(&session.connection),
                None => Ok(()),
            }
        });
        Appended { rows, outcome }
    }

    /// Moves a corrupt file out of the way.
    pub(super) fn set_aside(&mut self) -> Result<(), AppendError> {
        self.close_session();
        if self.location.identity().is_some() {
            opening::move_aside(&self.location)?;
        }
        Ok(())
    }

    /// Folds the log in and closes the file.
    pub(super) fn close(&mut self) -> Result<(), AppendError> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let checkpoint = session
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        session.connection.close().map_err(|(_, error)| error)?;
        Ok(checkpoint?)
    }

    fn session(&mut self) -> Result<&mut Session, AppendError> {
        self.open()?;
        self.session.as_mut().ok_or(AppendError::Ended)
    }

    fn transact<T>(
        &mut self,
        caller: Caller<'_>,
        work: impl FnOnce(&mut Session) -> rusqlite::Result<T>,
    ) -> Result<T, AppendError> {
        let session = self.session()?;
        let outcome = session.transact(caller, work);
        // When not even the rollback went through: begin with a fresh connection next time.
        if outcome.is_err() && !session.connection.is_autocommit() {
            self.close_session();
        }
        outcome
    }

    fn close_session(&mut self) {
        if let Some(session) = self.session.take()
            && let Err((_, error)) = session.connection.close()
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
    fn open(location: &Location) -> Result<Self, OpenError> {
        if let Some(folder) = location.folder() {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let connection = opening::connect(location)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_LEN);
        let refusal = |source| OpenError::Sqlite {
            path: location.path().to_owned(),
            source,
        };
        let sequence = Sequence::resume(&connection).map_err(refusal)?;
        let batch = batch(&connection).map_err(refusal)?;
        Ok(Self {
            connection,
            file: location.identity(),
            sequence,
            batch,
        })
    }

    /// Commits some work when it went well and its caller still waits, else undoes it.
    fn transact<T>(
        &mut self,
        caller: Caller<'_>,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> Result<T, AppendError> {
        // IMMEDIATE: a transaction that begins by reading may fail at its first write, and no waiting would
        // help.
        self.run("BEGIN IMMEDIATE")?;
        let done = match work(self) {
            Ok(done) if caller.waits() => self.commit().map(|()| done),
            Ok(_) => Err(AppendError::Ended),
            Err(error) => Err(error.into()),
        };
        if done.is_err() && !self.connection.is_autocommit() {
            // The first error is the one to report. SQLite rolls back by itself when the disk is full.
            let _ = self.run("ROLLBACK");
        }
        done
    }

    /// Ends the transaction, counted, so that its presence in the file can be told.
    fn commit(&mut self) -> Result<(), AppendError> {
        let connection = &self.connection;
        connection
            .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'batch'")?
            .execute([self.batch + 1])?;
        if let Err(error) = self.run("COMMIT") {
            if !self.connection.is_autocommit() {
                let _ = self.run("ROLLBACK");
            }
            // The counter stands in the file only if the whole batch does. A batch that is there must not be
            // stored twice.
            if batch(&self.connection)? != self.batch + 1 {
                return Err(error.into());
            }
        }
        self.batch += 1;
        Ok(())
    }

    fn run(&self, text: &'static str) -> rusqlite::Result<()> {
        let mut statement: CachedStatement<'_> = self.connection.prepare_cached(text)?;
        statement.execute([]).map(|_| ())
    }
}

// === impl StoredPulse ===

impl StoredPulse {
    pub(super) fn of(pulse: &Pulse) -> Result<Self, AppendError> {
        Ok(Self {
            instance: pulse.instance.to_string(),
            at_ms: pulse.at.0,
            text: serde_json::to_string(pulse)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?,
            families: pulse.families.clone(),
        })
    }

    fn put(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut put = connection.prepare_cached(
            "INSERT INTO pulse (instance, at_ms, pulse, families) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (instance) DO UPDATE \
             SET at_ms = excluded.at_ms, pulse = excluded.pulse, families = excluded.families",
        )?;
        put.execute(params![self.instance, self.at_ms, self.text, self.families])?;
        Ok(())
    }
}

fn batch(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'batch'")?
        .query_row([], |row| row.get(0))
}
