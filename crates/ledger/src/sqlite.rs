//! The engine that keeps a ledger in one SQLite file: every statement that is SQLite's own.
//!
//! The writer owns the only write connection and a lock file; readers open the file read-only, in WAL mode,
//! from any process. Nothing here merges cells or decides what is due (see `engine.rs`).

mod insert;
pub(crate) mod location;
mod names;
pub(crate) mod opening;
mod prune;
mod rows;
mod scan;
pub(crate) mod schema;
mod session;
mod sheets;
mod store;

pub(crate) use opening::CORRUPT;
pub(crate) use session::{Connections, Session};
pub(crate) use store::Store;
