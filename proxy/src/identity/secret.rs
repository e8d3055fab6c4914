//! The secret behind the hashes: given, or made once beside the ledger.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::settings::SecretSource;

/// Shortest secret, in bytes. Why this number: the output of SHA-256; shorter keys weaken the hash
/// (<https://www.rfc-editor.org/rfc/rfc2104#section-3>).
pub const SECRET_LEN_MIN: usize = 32;

/// Longest secret file that is read.
const SECRET_LEN_MAX: usize = 4 * 1024;

/// Text that never shows itself, not even its length.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read `{path}` of identity.secret_file; make it with `openssl rand -hex 32`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file holds no usable secret.
    #[error(
        "`{path}` holds no secret of {SECRET_LEN_MIN} bytes or more; make one with `openssl rand -hex 32`"
    )]
    Weak {
        /// The file.
        path: PathBuf,
    },
}

// === impl Secret ===

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for hashing, and for the file that a child process is started with.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The secret that is configured; made, with a file for the next start, when there is none yet.
    ///
    /// A file that cannot be made is no reason not to serve: the secret then holds for this process, and a
    /// warning says what that means.
    ///
    /// # Errors
    /// When a file that should hold one cannot be read, or holds too little.
    pub(crate) fn load(source: &SecretSource) -> Result<Self, SecretError> {
        match source {
            SecretSource::Value(secret) => Ok(secret.clone()),
            SecretSource::File(path) => Self::read(path),
            SecretSource::Made(path) => match Self::read(path) {
                Err(SecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Self::make(path)
                }
                read => read,
            },
        }
    }

    fn read(path: &Path) -> Result<Self, SecretError> {
        let text = fs::read_to_string(path).map_err(|source| SecretError::Read {
            path: path.to_owned(),
            source,
        })?;
        let text = text.trim_ascii();
        if !(SECRET_LEN_MIN..=SECRET_LEN_MAX).contains(&text.len()) {
            return Err(SecretError::Weak {
                path: path.to_owned(),
            });
        }
        Ok(Self::new(text))
    }

    /// A new secret, and its file. Another process that makes one at the same time wins or loses whole: the
    /// file appears with its content.
    fn make(path: &Path) -> Result<Self, SecretError> {
        let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        let made: String = halves.iter().map(|half| half.simple().to_string()).collect();
        match write_new(path, &made) {
            Ok(()) => {
                tracing::info!(
                    "made the secret of the hashes of keys, users and sessions: {}",
                    path.display()
                );
                Ok(Self::new(made))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => {
                tracing::warn!(
                    "cannot keep the secret of the hashes in {}: {error}; keys, users and sessions will have \
                     other hashes after a restart. Set identity.secret or identity.secret_file",
                    path.display()
                );
                Ok(Self::new(made))
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|refused| refused.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/ledger.secret");
        let source = SecretSource::Made(path.clone());
        let first = Secret::load(&source).unwrap();
        assert!(first.reveal().len() >= SECRET_LEN_MIN, "as long as promised");
        assert_eq!(Secret::load(&source).unwrap(), first, "the next start finds it");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_secret_that_is_missing_or_short_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let missing = Secret::load(&SecretSource::File(path.clone())).unwrap_err();
        assert!(missing.to_string().contains("openssl rand -hex 32"), "{missing}");
        fs::write(&path, "short\n").unwrap();
        for source in [SecretSource::File(path.clone()), SecretSource::Made(path.clone())] {
            let weak = Secret::load(&source).unwrap_err();
            assert!(matches!(weak, SecretError::Weak { .. }), "{weak}");
            assert!(!weak.to_string().contains("short"), "{weak}");
        }
    }

    #[test]
    fn a_folder_that_takes_no_file_does_not_keep_the_proxy_from_serving() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let secret = Secret::load(&SecretSource::Made(file.join("below a file"))).unwrap_err();
        assert!(matches!(secret, SecretError::Read { .. }), "{secret}");
        let source = SecretSource::Made(PathBuf::from("/proc/nothing-is-made-here"));
        assert!(Secret::load(&source).unwrap().reveal().len() >= SECRET_LEN_MIN);
    }

    #[test]
    fn a_secret_never_shows_itself() {
        assert_eq!(format!("{:?}", Secret::new("sk-canary")), "Secret");
    }
}
