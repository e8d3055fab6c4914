//! The engine that keeps a ledger in PostgreSQL: every statement that is PostgreSQL's own.
//!
//! Any number of proxies write at once. Each has a number and a lock, and writes rows, sheets and tiers
//! under that number alone, so that no write of one ever meets one of another; readers add up what all have
//! written. Nothing here merges cells or decides what is due (see `engine.rs`).

mod address;
mod adoption;
mod connection;
mod copied;
mod doubt;
mod failure;
mod insert;
mod instance;
mod names;
mod partitions;
mod records;
mod retention;
mod rows;
mod scan;
mod schema;
mod sequence;
mod session;
mod sheets;
mod store;
mod writing;

pub(crate) use address::is_postgres;
pub use address::masked_url;
pub(crate) use copied::Progress;
pub(crate) use failure::{code_word, is_passing};
pub(crate) use session::{Connections, Session};
pub(crate) use store::Store;
