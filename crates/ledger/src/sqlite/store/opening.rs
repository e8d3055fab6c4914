//! Opening a ledger for writing: lock, check, move a corrupt file aside, migrate.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::error::{OpenError, is_corrupt};
use crate::sqlite::PROGRESS_STEPS;
use crate::sqlite::filesystem::{Reach, reach_of};
use crate::sqlite::location::Location;
use crate::sqlite::schema::{self, Stamp};

/// Time for `quick_check` at the start (365 ms for 337 MB). A file that takes longer is believed: the proxy
/// must serve.
const CHECK_TIME_MAX: Duration = Duration::from_millis(1_500);

/// How long a statement waits for another program's lock.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);

/// Settings of the write connection.
///
/// `auto_vacuum` and `page_size` hold for new files, and are said before the first table: afterwards only a
/// full VACUUM could change them. Why pages of 16 KiB: a batch of rows fills fewer of them, which takes a
/// fourth off SQLite's work for a row. With batches, `synchronous = FULL` costs next to nothing (one fsync a
/// batch), and a commit survives a power cut. The page cache is 64 MiB: a negative number is KiB.
const PRAGMAS: &str = "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; \
     PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
     PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864; \
     PRAGMA trusted_schema = OFF;";

/// The first SQLite without the WAL-reset bug, <https://sqlite.org/wal.html#walresetbug>.
const SQLITE_MIN: [u32; 3] = [3, 51, 3];

/// Takes the lock that only one writer can hold. It is released when the file is closed, by whatever end.
pub(crate) fn lock(location: &Location) -> Result<File, OpenError> {
    if let Some(folder) = location.folder() {
        fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    let folder = location.folder().unwrap_or_else(|| Path::new("."));
    match reach_of(folder) {
        Reach::Local => {}
        Reach::Unsure(kind) => tracing::warn!(
            kind,
            "the ledger {} lies on {kind}: it is safe only if no other machine opens it",
            location.path().display()
        ),
        Reach::Network(kind) => {
            let path = location.path().to_owned();
            return Err(OpenError::Network { path, kind });
        }
    }
    let path = location.beside(".lock");
    let refusal = |source| OpenError::LockFile {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(refusal)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: location.path().to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(refusal(source)),
    }
}

/// Opens the file for writing with the current schema. A corrupt file is moved aside and a new one begun.
pub(super) fn connect(location: &Location) -> Result<Connection, OpenError> {
    match attempt(location) {
        Err(OpenError::Sqlite { source, .. }) if is_corrupt(&source) => {
            move_aside(location)?;
            attempt(location)
        }
        outcome => outcome,
    }
}

/// Moves a corrupt ledger out of the way and says so. The writer connection must be closed.
pub(crate) fn move_aside(location: &Location) -> Result<(), OpenError> {
    let (path, aside) = (location.path(), rename_aside(location, "corrupt")?);
    tracing::error!(
        ledger = %path.display(),
        kept = %aside.display(),
        "the ledger {} is corrupt; it is kept as {} and a new one is begun",
        path.display(),
        aside.display()
    );
    Ok(())
}

/// Renames a ledger and its log; the new name says why. No connection may be open.
pub(crate) fn rename_aside(location: &Location, why: &str) -> Result<PathBuf, OpenError> {
    // The time of the last write names the copy: no clock is needed, and it says how old the content is.
    let seconds = fs::metadata(location.path())
        .and_then(|found| found.modified())
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs());
    let path = location.path().to_owned();
    let mut aside = location.beside(&format!(".{why}-{seconds}"));
    for attempt in 1..=u8::MAX {
        if !aside.exists() {
            break;
        }
        aside = location.beside(&format!(".{why}-{seconds}-{attempt}"));
    }
    fs::rename(&path, &aside).map_err(|source| OpenError::MoveAside {
        path: path.clone(),
        source,
    })?;
    for suffix in ["-wal", "-shm"] {
        let mut target = aside.clone().into_os_string();
        target.push(suffix);
        match fs::rename(location.beside(suffix), target) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::MoveAside {
                    path: location.beside(suffix),
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(aside)
}

fn attempt(location: &Location) -> Result<Connection, OpenError> {
    let path = || location.path().to_owned();
    let refusal = |source| OpenError::Sqlite { path: path(), source };
    let connection = open(location).map_err(refusal)?;
    check_library()?;
    let stamp = connection.query_row(schema::STAMP, [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    let stamp = Stamp::of(stamp.map_err(refusal)?);
    if stamp.tables && stamp.application != schema::APPLICATION_ID {
        return Err(OpenError::Foreign { path: path() });
    }
    if stamp.version > schema::VERSION {
        return Err(OpenError::Newer {
            path: path(),
            found: stamp.version,
            known: schema::VERSION,
        });
    }
    // Where it fails, the connection is closed before the file is moved, so that no checkpoint writes into
    // the new one.
    quick_check(&connection).map_err(refusal)?;
    schema::migrate(&connection, stamp.version).map_err(refusal)?;
    Ok(connection)
}

fn open(location: &Location) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI: a path is a path, whatever it begins with.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(location.path(), flags)?;
    connection.busy_timeout(BUSY_TIME_MAX)?;
    connection.execute_batch(PRAGMAS)?;
    Ok(connection)
}

fn check_library() -> Result<(), OpenError> {
    let found = rusqlite::version();
    let mut version = [0_u32; 3];
    for (part, digits) in version.iter_mut().zip(found.split('.')) {
        *part = digits.parse().unwrap_or(0);
    }
    if version < SQLITE_MIN {
        return Err(OpenError::OldSqlite {
            found: found.to_owned(),
        });
    }
    Ok(())
}

/// Asks SQLite whether the file is sound. Inserts into a broken file succeed, so nothing else would tell.
fn quick_check(connection: &Connection) -> rusqlite::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    connection.progress_handler(PROGRESS_STEPS, Some(move || seen.load(Ordering::Relaxed)))?;
    let (done, over) = channel::<()>();
    let outcome = thread::scope(|scope| {
        scope.spawn(move || {
            if over.recv_timeout(CHECK_TIME_MAX) == Err(RecvTimeoutError::Timeout) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        let outcome = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        drop(done);
        outcome
    });
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match outcome {
        Ok(word) if word == "ok" => Ok(()),
        Ok(finding) => {
            tracing::error!(finding, "quick_check of the ledger found: {finding}");
            // The same answer as for a page that cannot be read at all.
            let corrupt = ffi::Error::new(ffi::SQLITE_CORRUPT);
            Err(rusqlite::Error::SqliteFailure(corrupt, Some(finding)))
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!("quick_check of the ledger takes longer than {CHECK_TIME_MAX:?}: not waited for");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
