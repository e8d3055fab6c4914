//! Ledgers in SQLite files, in temporary folders.

use std::path::PathBuf;

use ledger::{Reader, Writer};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};

pub(crate) use crate::records::{NOON, block_on, plain, pulse, records};

/// A ledger in a folder that goes away with it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Whether requests that are past their time go by whole days.
    pub(crate) const ROWS_GO_BY_DAY: bool = false;

    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("deep/er/gauge.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    pub(crate) async fn writer(&self) -> Writer {
        Writer::open(&self.url()).await.unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.url()).unwrap()
    }

    /// Names of the files beside the ledger.
    pub(crate) fn files(&self) -> Vec<String> {
        let folder = self.path().parent().unwrap().to_owned();
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Rows of whole numbers that a statement finds.
    pub(crate) async fn numbers(&self, text: &'static str) -> Vec<Vec<i64>> {
        let options = SqliteConnectOptions::new().filename(self.path()).read_only(true);
        let mut connection = options.connect().await.unwrap();
        let rows = sqlx::query(text).fetch_all(&mut connection).await.unwrap();
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.get_unchecked(at)).collect())
            .collect()
    }
}
