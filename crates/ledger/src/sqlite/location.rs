//! Where a ledger lies: the file behind a `sqlite://` URL, and the files beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// The file of a ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Location {
    path: PathBuf,
}

/// Which file it is, whatever its name: device and inode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

// === impl Location ===

impl Location {
    /// Reads `sqlite:///absolute/path.db` or `sqlite://relative/path.db`.
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let refusal = || OpenError::Url { url: url.to_owned() };
        let path = url.strip_prefix("sqlite://").ok_or_else(refusal)?;
        // A directory, an in-memory database or parameters would each surprise: the file is all there is to
        // say.
        if path.is_empty() || path.ends_with('/') || path.contains('?') || path.starts_with(':') {
            return Err(refusal());
        }
        Ok(Self {
            path: PathBuf::from(path),
        })
    }

    /// The database file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that holds it, when the path names one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// A file beside the database: its name with `suffix` at the end.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Which file stands at the path now; `None` when there is none.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        FileIdentity::of(&self.path)
    }

    /// Bytes of the database file; `None` when it is not there.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        fs::metadata(&self.path).ok().map(|found| found.len())
    }

    /// Bytes of the write-ahead log; 0 when there is none.
    pub(crate) fn wal_bytes(&self) -> u64 {
        fs::metadata(self.beside("-wal")).map_or(0, |found| found.len())
    }
}

// === impl FileIdentity ===

impl FileIdentity {
    /// The file at a path; `None` when there is none.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|_| Self { device: 0, inode: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative_urls_name_their_file() {
        let absolute = Location::parse("sqlite:///var/lib/gauge.db").unwrap();
        assert_eq!(absolute.path(), Path::new("/var/lib/gauge.db"));
        assert_eq!(absolute.beside("-wal"), Path::new("/var/lib/gauge.db-wal"));
        let relative = Location::parse("sqlite://data/gauge.db").unwrap();
        assert_eq!(relative.folder(), Some(Path::new("data")));
        assert_eq!(Location::parse("sqlite://gauge.db").unwrap().folder(), None);
    }

    #[test]
    fn other_urls_are_refused_with_the_form() {
        for url in [
            "",
            "gauge.db",
            "mysql://x",
            "sqlite://",
            "sqlite:///dir/",
            "sqlite://:memory:",
            "sqlite://a?b=1",
        ] {
            let refusal = Location::parse(url).unwrap_err().to_string();
            assert!(refusal.contains("sqlite:///"), "{url}: {refusal}");
        }
    }
}
