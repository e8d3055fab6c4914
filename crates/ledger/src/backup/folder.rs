//! A folder of backups: named by their time, the newest kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use record::UnixMillis;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcDateTime};

use super::{Partial, read_only};
use crate::sqlite::schema;

/// Names sort as their times do.
const NAME: &[BorrowedFormatItem<'_>] =
    format_description!("streamgauge-[year][month][day]T[hour][minute][second]Z.db");

/// Where scheduled backups go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupFolder {
    path: PathBuf,
    keep: usize,
}

/// What became of the older backups.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Thinned {
    /// Files that were removed.
    pub removed: usize,
    /// Files that have the name of a backup and are none: left alone, and not counted among those to keep.
    pub unsound: Vec<PathBuf>,
}

// === impl BackupFolder ===

impl BackupFolder {
    /// A folder of which the newest `keep` backups stay; it need not exist.
    #[must_use]
    pub const fn new(path: PathBuf, keep: usize) -> Self {
        Self { path, keep }
    }

    /// The file of a backup made at `at`, such as `streamgauge-20261125T021500Z.db`.
    #[must_use]
    pub fn file(&self, at: UnixMillis) -> PathBuf {
        let nanoseconds = i128::from(at.0).saturating_mul(1_000_000);
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        // Fails only where a writer fails, and a string takes everything.
        self.path.join(moment.format(NAME).unwrap_or_default())
    }

    /// When the newest backup was made; `None` when there is none.
    #[must_use]
    pub fn newest(&self) -> Option<UnixMillis> {
        self.files().into_iter().map(|(at, _)| at).max()
    }

    /// Removes the backups that are older than the newest ones to keep. A file counts among those only when
    /// it opens as a ledger, so that a damaged one never pushes out a good one.
    ///
    /// # Errors
    /// A file could not be removed.
    pub async fn thin(&self) -> io::Result<Thinned> {
        let mut files = self.files();
        files.sort_unstable();
        let (mut thinned, mut kept) = (Thinned::default(), 0);
        for (_, path) in files.into_iter().rev() {
            if kept >= self.keep {
                fs::remove_file(&path)?;
                thinned.removed += 1;
            } else if opens(&path).await {
                kept += 1;
            } else {
                tracing::warn!("`{}` has the name of a backup and is none", path.display());
                thinned.unsound.push(path);
            }
        }
        self.remove_leftovers();
        Ok(thinned)
    }

    /// Removes what backups that were killed left behind; one that is being written is locked.
    fn remove_leftovers(&self) {
        let is_leftover = |name: &str| {
            let name = name.strip_suffix(Partial::SUFFIX);
            name.and_then(time_of).is_some()
        };
        for (name, path) in self.entries() {
            if is_leftover(&name) && fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                // Another process may have been faster.
                let _gone = fs::remove_file(&path);
            }
        }
    }

    fn files(&self) -> Vec<(UnixMillis, PathBuf)> {
        let entries = self.entries().into_iter();
        entries
            .filter_map(|(name, path)| Some((time_of(&name)?, path)))
            .collect()
    }

    fn entries(&self) -> Vec<(String, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
            .collect()
    }
}

fn time_of(name: &str) -> Option<UnixMillis> {
    let moment = PrimitiveDateTime::parse(name, NAME).ok()?;
    let moment = UtcDateTime::new(moment.date(), moment.time());
    Some(UnixMillis(moment.unix_timestamp().checked_mul(1_000)?))
}

/// Whether a file opens as a ledger. Not whether every page of it is sound: it was when it was made, and
/// reading many of them whole each time would cost the disk that the proxy writes to.
async fn opens(path: &Path) -> bool {
    let stamp = async {
        let mut connection = read_only(path).await?;
        let stamp = schema::stamp(&mut connection).await?;
        sqlx::query("SELECT id FROM request ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut connection)
            .await?;
        Ok::<_, sqlx::Error>(stamp)
    };
    stamp
        .await
        .is_ok_and(|stamp| stamp.application == schema::APPLICATION_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_time_and_sort_by_it() {
        let folder = BackupFolder::new(PathBuf::from("backups"), 2);
        let at = UnixMillis(1_795_572_900_000);
        let file = folder.file(at);
        assert_eq!(file, Path::new("backups/streamgauge-20261125T021500Z.db"));
        assert_eq!(time_of(file.file_name().unwrap().to_str().unwrap()), Some(at));
        for other in [
            "streamgauge-20261125T021500Z.db.partial",
            "streamgauge.db",
            "streamgauge-20261325T021500Z.db",
        ] {
            assert_eq!(time_of(other), None, "{other}");
        }
        assert_eq!(BackupFolder::new("nowhere/at/all".into(), 1).newest(), None);
    }
}
