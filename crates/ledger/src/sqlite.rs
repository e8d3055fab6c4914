//! The engine that keeps a ledger in one SQLite file: every statement that is SQLite's own.
//!
//! The writer owns the only write connection and a lock file; readers open the file read-only, in WAL mode,
//! from any process. Nothing here merges cells or decides what is due (see `engine.rs`).

mod filesystem;
pub(crate) mod location;
mod names;
mod rows;
mod scan;
pub(crate) mod schema;
mod session;
mod sheets;
mod store;

use std::path::PathBuf;

use crate::error::OpenError;

pub(crate) use session::{Connections, Session};
pub(crate) use store::{Store, opening};

/// Steps of SQLite's machine between two looks at a stop flag: well under a millisecond.
pub(crate) const PROGRESS_STEPS: i32 = 10_000;

/// The file of a ledger; `None` when its URL is that of another engine.
pub(crate) fn path_of(url: &str) -> Result<Option<PathBuf>, OpenError> {
    if url.starts_with("postgres") {
        return Ok(None);
    }
    Ok(Some(location::Location::parse(url)?.path().to_owned()))
}
