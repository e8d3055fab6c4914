//! Replicas in a file, looked at again and again.
//!
//! The text is compared, not the time of its last change: a `ConfigMap` of Kubernetes changes by swapping a
//! link, editors replace the file, and clocks are coarse. A few kilobytes a second cost nothing.

use crate::settings::{FileSettings, ReadReplicas};

use super::Look;

/// A file of replicas.
pub(super) struct ReplicaFile<'a> {
    settings: &'a FileSettings,
    read: &'a ReadReplicas,
    /// The text that was acted on last.
    taken: Option<String>,
    /// The text at the last look.
    seen: Option<String>,
    /// What is wrong with the text that was acted on last.
    complaint: Option<String>,
}

// === impl ReplicaFile ===

impl<'a> ReplicaFile<'a> {
    pub(super) const fn new(settings: &'a FileSettings, read: &'a ReadReplicas) -> Self {
        Self {
            settings,
            read,
            taken: None,
            seen: None,
            complaint: None,
        }
    }

    /// Reads the file. A text that changed is acted on when the next look finds the same: it may have been
    /// half written.
    pub(super) async fn look(&mut self) -> Result<Look, String> {
        let text = tokio::fs::read_to_string(&self.settings.path)
            .await
            .map_err(|error| format!("it cannot be read: {error}"))?;
        if self.taken.as_ref() == Some(&text) {
            return self.complaint.clone().map_or(Ok(Look::Unchanged), Err);
        }
        if self.taken.is_some() && self.seen.as_ref() != Some(&text) {
            self.seen = Some(text);
            return Ok(Look::Unchanged);
        }
        let replicas = (self.read)(&self.settings.path, &text);
        self.taken = Some(text);
        let replicas = replicas.map_err(|complaints| complaints.join("; "));
        self.complaint = replicas.as_ref().err().cloned();
        Ok(Look::Found {
            replicas: replicas?,
            refused: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::settings::ReplicaSettings;

    fn reader() -> ReadReplicas {
        Box::new(|_: &Path, text: &str| {
            let replica = |url: &str| ReplicaSettings {
                url: url.to_owned(),
                address: None,
                weight: 1,
                max_in_flight: None,
                drain: false,
            };
            if text.contains("broken") {
                return Err(vec!["line 1".to_owned(), "line 2".to_owned()]);
            }
            Ok(text.lines().map(replica).collect())
        })
    }

    async fn urls(file: &mut ReplicaFile<'_>) -> Option<Vec<String>> {
        match file.look().await.unwrap() {
            Look::Unchanged => None,
            Look::Found { replicas, .. } => Some(replicas.into_iter().map(|one| one.url).collect()),
        }
    }

    #[tokio::test]
    async fn a_change_counts_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let settings = FileSettings {
            path: folder.path().join("replicas"),
            every: Duration::from_secs(1),
        };
        let read = reader();
        let mut file = ReplicaFile::new(&settings, &read);
        assert!(file.look().await.unwrap_err().contains("cannot be read"));
        std::fs::write(&settings.path, "a\nb").unwrap();
        assert_eq!(
            urls(&mut file).await.unwrap(),
            ["a", "b"],
            "the first time at once"
        );
        assert_eq!(urls(&mut file).await, None);
        std::fs::write(&settings.path, "c").unwrap();
        assert_eq!(urls(&mut file).await, None, "it may be half written");
        std::fs::write(&settings.path, "c\nd").unwrap();
        assert_eq!(urls(&mut file).await, None, "and was");
        assert_eq!(urls(&mut file).await.unwrap(), ["c", "d"]);
        std::fs::write(&settings.path, "broken").unwrap();
        assert_eq!(urls(&mut file).await, None);
        assert_eq!(file.look().await.unwrap_err(), "line 1; line 2");
        assert_eq!(
            file.look().await.unwrap_err(),
            "line 1; line 2",
            "it is broken still"
        );
        std::fs::write(&settings.path, "e").unwrap();
        assert_eq!(urls(&mut file).await, None);
        assert_eq!(urls(&mut file).await.unwrap(), ["e"]);
        assert_eq!(urls(&mut file).await, None);
    }

    #[tokio::test]
    async fn a_link_that_points_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, "a").unwrap();
        std::fs::write(&new, "b").unwrap();
        let settings = FileSettings {
            path: folder.path().join("replicas"),
            every: Duration::from_secs(1),
        };
        std::os::unix::fs::symlink(&old, &settings.path).unwrap();
        let read = reader();
        let mut file = ReplicaFile::new(&settings, &read);
        assert_eq!(urls(&mut file).await.unwrap(), ["a"]);
        std::fs::remove_file(&settings.path).unwrap();
        std::os::unix::fs::symlink(&new, &settings.path).unwrap();
        assert_eq!(urls(&mut file).await, None);
        assert_eq!(urls(&mut file).await.unwrap(), ["b"]);
    }
}
