//! A backup in the place of a ledger. Never while a writer has it: the lock is the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::backup::{BackupError, examine};
use crate::sqlite::location::Location;
use crate::sqlite::opening;

/// The user that restores may read it, nobody else, as for backups.
const MODE: u32 = 0o600;

/// What was restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// Requests in it.
    pub requests: u64,
    /// Where the ledger that was there before is now; `None` when there was none.
    pub kept: Option<PathBuf>,
}

/// Puts a copy of `backup` in the place of the ledger behind `url`. The backup is checked first; the ledger
/// that is there is kept beside it under another name, with its log: a log that stays behind would be applied
/// to the file that takes its place.
///
/// # Errors
/// A writer has the ledger, the backup is not sound, or a file could not be written. The ledger is then as it
/// was, or under its other name.
pub async fn restore(url: &str, backup: &Path) -> Result<Restored, BackupError> {
    if url.starts_with("postgres") {
        return Err(BackupError::Postgres);
    }
    let location = Location::parse(url)?;
    let _lock = opening::lock(&location)?;
    let requests = examine(backup).await?;
    let fresh = location.beside(".restoring");
    copy(backup, &fresh).map_err(|source| BackupError::Write {
        path: fresh.clone(),
        source,
    })?;
    let kept = match location.identity() {
        Some(_) => Some(opening::rename_aside(&location, "replaced")?),
        None => None,
    };
    fs::rename(&fresh, location.path())
        .and_then(|()| File::open(location.folder().unwrap_or_else(|| Path::new(".")))?.sync_all())
        .map_err(|source| BackupError::Write {
            path: location.path().to_owned(),
            source,
        })?;
    Ok(Restored { requests, kept })
}

/// Copies a file and waits until it is on the disk.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(MODE)
        .open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}
