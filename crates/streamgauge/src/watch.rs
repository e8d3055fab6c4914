//! A configuration file that changes is read again, as if SIGHUP had come.
//!
//! The text is compared, not the time of its last change: a `ConfigMap` of Kubernetes changes by swapping a
//! link, editors replace the file, and clocks are coarse. A change counts once it has settled, so that a file
//! that is being written is not read half.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Signal, getpid, kill_process};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A file and its text at the last looks.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    /// The text that was acted on last; `None` when the file could not be read.
    taken: Option<Vec<u8>>,
    /// The text at the last look.
    seen: Option<Vec<u8>>,
}

// === impl Watched ===

impl Watched {
    /// The file as it is now. Taken before the configuration is read, no change is missed.
    pub(crate) fn new(path: &Path) -> Self {
        let text = std::fs::read(path).ok();
        Self {
            path: path.to_owned(),
            taken: text.clone(),
            seen: text,
        }
    }

    /// Whether the text is another one than that acted on last, and is at rest.
    fn has_changed(&mut self) -> bool {
        // Between two versions there may be no file for a moment.
        let Ok(text) = std::fs::read(&self.path) else {
            return false;
        };
        let settled = self.seen.as_ref() == Some(&text);
        let changed = self.taken.as_ref() != Some(&text);
        self.seen = Some(text);
        if settled && changed {
            self.taken.clone_from(&self.seen);
        }
        settled && changed
    }

    /// Looks at the file for as long as the process lives, and signals it at each change.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn signal_changes(mut self) -> Result<()> {
        let path = self.path.display().to_string();
        let looking = move || {
            loop {
                thread::park_timeout(EVERY);
                if takes_hangups(&status()) && self.has_changed() {
                    tracing::info!("{path} has changed");
                    if let Err(error) = kill_process(getpid(), Signal::HUP) {
                        tracing::error!("cannot ask for the configuration to be read again: {error}");
                    }
                }
            }
        };
        thread::Builder::new()
            .name("config-watch".to_owned())
            .spawn(looking)
            .context("starting to watch the configuration file")?;
        Ok(())
    }
}

/// Whether the process that has this `/proc/PID/status` acts on SIGHUP. Before it does, the signal would end
/// it.
fn takes_hangups(status: &str) -> bool {
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1.
    caught.is_some_and(|mask| mask & 1 == 1)
}

fn status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_take_the_signal_is_not_signalled() {
        assert!(!takes_hangups(&status()), "this one does not");
        for (status, takes) in [
            ("Name:\tx\nSigCgt:\t0000000180014a03\n", true),
            ("SigIgn:\t0000000000000001\nSigCgt:\t0000000180014a02\n", false),
            ("", false),
        ] {
            assert_eq!(takes_hangups(status), takes, "{status}");
        }
    }

    #[test]
    fn a_change_counts_once_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "a").unwrap();
        let mut watched = Watched::new(&path);
        assert!(!watched.has_changed(), "as it was");
        std::fs::write(&path, "half").unwrap();
        assert!(!watched.has_changed(), "it may be half written");
        std::fs::write(&path, "half and whole").unwrap();
        assert!(!watched.has_changed(), "and was");
        assert!(watched.has_changed());
        assert!(!watched.has_changed(), "once");
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.has_changed(), "no file is no configuration");
        std::fs::write(&path, "half and whole").unwrap();
        assert!(!watched.has_changed() && !watched.has_changed(), "the same again");
        std::fs::write(&path, "b").unwrap();
        assert!(!watched.has_changed());
        std::fs::write(&path, "half and whole").unwrap();
        assert!(!watched.has_changed() && !watched.has_changed(), "taken back");
    }
}
