//! Files and findings: what rules read and what they say.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One text file of the project.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path below the project's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One breach of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The rule and the way out.
    pub message: String,
}

// === impl Source ===

impl Source {
    /// A file from its path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The part of the name behind the last dot; empty without one.
    #[must_use]
    pub fn extension(&self) -> &str {
        self.name()
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
    }

    /// The name without folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or(self.path.as_str(), |(_, name)| name)
    }

    /// Whether one of its folders has this name.
    #[must_use]
    pub fn is_in(&self, folder: &str) -> bool {
        self.path.split('/').rev().skip(1).any(|part| part == folder)
    }

    /// Its lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(nth, line)| (nth + 1, line))
    }

    /// A finding in this file.
    pub(crate) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file that git tracks or would track. Files that are not UTF-8 are no text and are left out.
///
/// # Errors
/// When git cannot be asked or a file cannot be read.
pub fn list(root: &Path) -> io::Result<Vec<Source>> {
    let arguments = ["ls-files", "-co", "--exclude-standard", "-z"];
    let output = Command::new("git").args(arguments).current_dir(root).output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("git ls-files failed: {reason}")));
    }
    let mut sources = Vec::new();
    for path in output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
    {
        let path = String::from_utf8_lossy(path).into_owned();
        match fs::read(root.join(&path)) {
            Ok(bytes) => sources.extend(String::from_utf8(bytes).ok().map(|text| Source::new(path, text))),
            // Tracked but deleted in the work tree, or a link to a folder: nothing to read.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_name_an_extension_and_folders() {
        let source = Source::new("proxy/src/hooks/edge.rs", "");
        assert_eq!((source.name(), source.extension()), ("edge.rs", "rs"));
        assert!(source.is_in("hooks") && source.is_in("proxy"));
        assert!(!source.is_in("edge.rs"), "a file is not in itself");
        assert_eq!(Source::new("Makefile", "").extension(), "");
    }

    #[test]
    fn this_file_is_listed() {
        let sources = list(&root()).unwrap();
        let path = "crates/tidy/src/source.rs";
        assert!(
            sources.iter().any(|source| source.path == path),
            "{path} is a file of the project"
        );
    }
}
