//! Opening a ledger for writing: lock, check, move a corrupt file aside, migrate.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::filesystem::{Reach, reach_of};
use super::location::Location;
use super::schema;
use crate::error::{OpenError, is_corrupt, primary_code};

/// Time for `quick_check` at the start (365 ms for 337 MB). A file that takes longer is believed: the proxy
/// must serve.
const CHECK_TIME_MAX: Duration = Duration::from_millis(1_500);

/// Steps of SQLite's machine between two looks at a stop flag: well under a millisecond.
pub(crate) const PROGRESS_STEPS: i32 = 10_000;

/// Page cache of one connection, in KiB (negative: KiB instead of pages).
const CACHE_SIZE: &str = "-65536";

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
pub(crate) async fn connect(location: &Location) -> Result<SqliteConnection, OpenError> {
    match attempt(location).await {
        Err(OpenError::Sqlite { source, .. }) if is_corrupt(&source) => {
            move_aside(location)?;
            attempt(location).await
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

async fn attempt(location: &Location) -> Result<SqliteConnection, OpenError> {
    let path = || location.path().to_owned();
    let refusal = |source| OpenError::Sqlite { path: path(), source };
    let mut connection = options(location).connect().await.map_err(refusal)?;
    check_library(&mut connection).await.map_err(refusal)??;
    let stamp = schema::stamp(&mut connection).await.map_err(refusal)?;
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
    match quick_check(&mut connection).await {
        Ok(()) => {}
        Err(error) if is_corrupt(&error) => {
            // Closed before the file is moved, so that no checkpoint writes into the new one.
            let _ = connection.close().await;
            return Err(refusal(error));
        }
        Err(error) => return Err(refusal(error)),
    }
    schema::migrate(&mut connection, stamp.version)
        .await
        .map_err(refusal)?;
    Ok(connection)
}

fn options(location: &Location) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(location.path())
        .create_if_missing(true)
        // Set before the first table: afterwards only a full VACUUM could turn it on.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        // With batches this costs next to nothing (one fsync a batch), and a commit survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        .pragma("page_size", "4096")
        .pragma("cache_size", CACHE_SIZE)
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864")
        .pragma("trusted_schema", "OFF")
        .thread_name(|_| "ledger-writer".to_owned())
        .disable_statement_logging()
}

async fn check_library(connection: &mut SqliteConnection) -> Result<Result<(), OpenError>, sqlx::Error> {
    let (found,): (String,) = sqlx::query_as("SELECT sqlite_version()")
        .fetch_one(connection)
        .await?;
    let mut version = [0_u32; 3];
    for (part, digits) in version.iter_mut().zip(found.split('.')) {
        *part = digits.parse().unwrap_or(0);
    }
    Ok(if version < SQLITE_MIN {
        Err(OpenError::OldSqlite { found })
    } else {
        Ok(())
    })
}

/// Asks SQLite whether the file is sound. Inserts into a broken file succeed, so nothing else would tell.
async fn quick_check(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    connection
        .lock_handle()
        .await?
        .set_progress_handler(PROGRESS_STEPS, move || !seen.load(Ordering::Relaxed));
    let outcome = {
        let check = sqlx::query_as::<_, (String,)>("PRAGMA quick_check(1)").fetch_one(&mut *connection);
        let mut check = std::pin::pin!(check);
        match tokio::time::timeout(CHECK_TIME_MAX, &mut check).await {
            Ok(outcome) => outcome,
            Err(_) => {
                stop.store(true, Ordering::Relaxed);
                check.await
            }
        }
    };
    connection.lock_handle().await?.remove_progress_handler();
    match outcome {
        Ok((word,)) if word == "ok" => Ok(()),
        Ok((finding,)) => {
            tracing::error!(finding, "quick_check of the ledger found: {finding}");
            // The same answer as for a page that cannot be read at all: SQLITE_CORRUPT.
            Err(sqlx::Error::Protocol(CORRUPT.to_owned()))
        }
        // 9 is SQLITE_INTERRUPT: the check took longer than we wait.
        Err(error) if primary_code(&error) == Some(9) => {
            tracing::info!("quick_check of the ledger takes longer than {CHECK_TIME_MAX:?}: not waited for");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Stands in a protocol error for a finding of `quick_check`.
pub(crate) const CORRUPT: &str = "quick_check found the file corrupt";
