//! A copy of a ledger in use: one file, as of one moment, checked after it is written.
//!
//! `VACUUM INTO` through a read-only connection: the writer goes on meanwhile (its log grows until the copy
//! is done), and the copy has no free pages. SQLite's backup interface would copy the file faster, but begins
//! anew whenever another connection writes, which here is every 0.4 s.

mod folder;

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::OpenError;
use crate::sqlite::PROGRESS_STEPS;
use crate::sqlite::location::{FileIdentity, Location};
use crate::sqlite::schema;

pub use folder::{BackupFolder, Thinned};

/// Time between two words about the progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A backup holds what the ledger holds: for nobody else to read.
const MODE: u32 = 0o600;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackupStep {
    /// Bytes are being copied.
    Copying {
        /// Bytes that are written.
        bytes: u64,
        /// About as many as it will be.
        of: u64,
    },
    /// The copy is written, and is read again to see whether it is sound.
    Checking,
}

/// A finished backup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Requests in it.
    pub requests: u64,
}

/// Why there is no backup. What was at the target before is still there.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The URL names no SQLite ledger.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// PostgreSQL has its own tool.
    #[error("a ledger in PostgreSQL is backed up with pg_dump")]
    Postgres,
    /// There is nothing to back up.
    #[error("there is no ledger `{path}`")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The target is there already.
    #[error("`{path}` is there already; choose another name, or overwrite it with --force")]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The target is the ledger itself.
    #[error("`{path}` is the ledger itself; choose another file for the backup")]
    Itself {
        /// The target.
        path: PathBuf,
    },
    /// Another backup writes to the same target.
    #[error("another backup is writing to `{path}`")]
    Busy {
        /// The target.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the backup `{path}`")]
    Write {
        /// The target.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite could not copy.
    #[error("cannot copy the ledger to `{path}`")]
    Copy {
        /// The target.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The file that was written, or that is to be restored, is not sound.
    #[error("`{path}` is not a sound ledger: {finding}")]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
}

/// Stops what SQLite is doing when it is dropped: a backup that is given up must not read on.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

/// The file that is written before it has its name. Removed when dropped, unless it was kept.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
    /// Held, and with it the lock, until SQLite has closed the file: closing it earlier would take SQLite's
    /// own locks away.
    file: File,
    kept: bool,
}

/// Copies the ledger behind `url` to the file `target`, also while it is written to.
///
/// The file is written under another name, synced, checked, and named at the end, so that whatever has the
/// name is whole. Only the user that made it may read it.
///
/// # Errors
/// Nothing was changed at the target.
pub async fn backup(
    url: &str,
    target: &Path,
    overwrite: bool,
    mut progress: impl FnMut(BackupStep),
) -> Result<Backup, BackupError> {
    if url.starts_with("postgres") {
        return Err(BackupError::Postgres);
    }
    let location = Location::parse(url)?;
    let Some(ledger) = location.identity() else {
        let path = location.path().to_owned();
        return Err(BackupError::Missing { path });
    };
    let path = || target.to_owned();
    match FileIdentity::of(target) {
        Some(found) if found == ledger => return Err(BackupError::Itself { path: path() }),
        Some(_) if !overwrite => return Err(BackupError::Exists { path: path() }),
        _ => {}
    }
    let mut partial = Partial::begin(target)?;
    let refusal = |source| BackupError::Copy { path: path(), source };
    let mut connection = read_only(location.path()).await.map_err(refusal)?;
    let _stop = Stop::over(&mut connection).await.map_err(refusal)?;
    copy(&mut connection, &partial.path, &mut progress)
        .await
        .map_err(refusal)?;
    connection.close().await.map_err(refusal)?;
    progress(BackupStep::Checking);
    let requests = examine(&partial.path).await?;
    let bytes = partial.keep(target, overwrite)?;
    Ok(Backup {
        path: path(),
        bytes,
        requests,
    })
}

/// Looks whether a file is a sound ledger that this version can read; the number of its requests. Reads all
/// of it.
///
/// # Errors
/// What was found.
pub async fn examine(path: &Path) -> Result<u64, BackupError> {
    let unsound = |finding: String| BackupError::Unsound {
        path: path.to_owned(),
        finding,
    };
    let findings = async {
        let mut connection = read_only(path).await?;
        let _stop = Stop::over(&mut connection).await?;
        let stamp = schema::stamp(&mut connection).await?;
        if stamp.application != schema::APPLICATION_ID {
            return Ok(Err("it is no ledger of streamgauge".to_owned()));
        }
        if stamp.version > schema::VERSION {
            let (found, known) = (stamp.version, schema::VERSION);
            return Ok(Err(format!("it has schema {found}, this version knows {known}")));
        }
        let (word,): (String,) = sqlx::query_as("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await?;
        if word != "ok" {
            return Ok(Err(word));
        }
        let (requests,): (i64,) = sqlx::query_as("SELECT count(*) FROM request")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(Ok(u64::try_from(requests).unwrap_or(0)))
    };
    match findings.await {
        Ok(outcome) => outcome.map_err(unsound),
        Err(error) => Err(unsound(error.to_string())),
    }
}

/// What SQLite finds in a file, page by page; with `indexes`, also whether these tell what their tables hold.
/// Empty when it is sound.
pub(crate) async fn integrity(path: &Path, indexes: bool) -> Result<Vec<String>, BackupError> {
    if FileIdentity::of(path).is_none() {
        return Err(BackupError::Missing {
            path: path.to_owned(),
        });
    }
    let text = if indexes {
        "PRAGMA integrity_check(20)"
    } else {
        "PRAGMA quick_check(20)"
    };
    let findings = async {
        let mut connection = read_only(path).await?;
        let _stop = Stop::over(&mut connection).await?;
        let findings: Vec<(String,)> = sqlx::query_as(text).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(findings)
    };
    let findings = findings.await.map_err(|error| BackupError::Unsound {
        path: path.to_owned(),
        finding: error.to_string(),
    })?;
    let findings = findings.into_iter().map(|(finding,)| finding);
    Ok(findings.filter(|finding| finding != "ok").collect())
}

async fn copy(
    connection: &mut SqliteConnection,
    target: &Path,
    progress: &mut impl FnMut(BackupStep),
) -> Result<(), sqlx::Error> {
    let (pages,): (i64,) = sqlx::query_as(
        "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    .fetch_one(&mut *connection)
    .await?;
    let of = u64::try_from(pages).unwrap_or(0);
    let name = target.to_string_lossy().into_owned();
    let vacuum = sqlx::query("VACUUM INTO ?1").bind(name).execute(connection);
    let mut vacuum = pin!(vacuum);
    loop {
        tokio::select! {
            biased;
            outcome = &mut vacuum => return outcome.map(drop),
            () = tokio::time::sleep(PROGRESS_EVERY) => {
                let bytes = fs::metadata(target).map_or(0, |found| found.len());
                progress(BackupStep::Copying { bytes, of: of.max(bytes) });
            }
        }
    }
}

/// A connection that changes nothing and is in nobody's way.
pub(crate) async fn read_only(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        .pragma("trusted_schema", "OFF")
        .thread_name(|_| "ledger-backup".to_owned())
        .disable_statement_logging()
        .connect()
        .await
}

// === impl Stop ===

impl Stop {
    async fn over(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let stop = Self::default();
        let seen = Arc::clone(&stop.0);
        connection
            .lock_handle()
            .await?
            .set_progress_handler(PROGRESS_STEPS, move || !seen.load(Ordering::Relaxed));
        Ok(stop)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// === impl Partial ===

impl Partial {
    const SUFFIX: &str = ".partial";

    fn begin(target: &Path) -> Result<Self, BackupError> {
        let mut name = target.as_os_str().to_owned();
        name.push(Self::SUFFIX);
        let path = PathBuf::from(name);
        let refusal = |source| BackupError::Write {
            path: target.to_owned(),
            source,
        };
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(refusal)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE)
            .open(&path)
            .map_err(refusal)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = target.to_owned();
                return Err(BackupError::Busy { path });
            }
            Err(TryLockError::Error(source)) => return Err(refusal(source)),
        }
        let partial = Self {
            path,
            file,
            kept: false,
        };
        // What a backup that was killed left behind; SQLite copies into an empty file only.
        partial.file.set_len(0).map_err(refusal)?;
        partial
            .file
            .set_permissions(Permissions::from_mode(MODE))
            .map_err(refusal)?;
        Ok(partial)
    }

    /// Puts it on the disk for good and gives it its name; its size.
    fn keep(&mut self, target: &Path, overwrite: bool) -> Result<u64, BackupError> {
        let refusal = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists {
                path: target.to_owned(),
            },
            _ => BackupError::Write {
                path: target.to_owned(),
                source,
            },
        };
        self.file.sync_all().map_err(refusal)?;
        let bytes = self.file.metadata().map_err(refusal)?.len();
        if overwrite {
            fs::rename(&self.path, target).map_err(refusal)?;
            self.kept = true;
        } else {
            // A link fails where a name is taken, whoever took it a moment ago.
            fs::hard_link(&self.path, target).map_err(refusal)?;
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(refusal)?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!("cannot remove the unfinished backup {path}: {error}");
        }
    }
}
