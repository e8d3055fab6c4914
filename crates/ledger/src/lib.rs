//! The ledger: one row per request in a SQLite file or in PostgreSQL, written by proxies and read by the
//! metrics API.
//!
//! All SQL of streamgauge is here. A [`Writer`] stores batches of records, each in one transaction; a
//! [`Reader`] answers questions about windows of time from any other process. Neither reads a clock.

mod answer;
mod audit;
mod backup;
mod cell;
mod codes;
mod columns;
mod copy;
mod dictionary;
mod engine;
mod error;
mod fold;
mod history;
mod identifier;
mod packed;
mod postgres;
mod question;
mod reader;
mod remainder;
mod restore;
mod retention;
mod rollup;
mod sheet;
mod spread;
mod sqlite;
mod statistics;
mod varint;
mod words;
mod writer;

pub use answer::{
    BreakdownRow, Distribution, FACET_VALUES_MAX, Facets, Goodput, RequestsPage, Series, Summary, Timeseries,
    TokenSums,
};
pub use audit::{Audit, AuditError, AuditStep, Depth, TierAudit, audit};
pub use backup::{Backup, BackupError, BackupFolder, BackupStep, Thinned, backup, examine};
pub use copy::{Copied, CopyError, CopyStep, copy};
pub use error::{AppendError, OpenError, QueryError};
pub use history::History;
pub use postgres::masked_url;
pub use question::{Filter, PAGE_LIMIT_MAX, POINTS_MAX, Page, Query};
pub use reader::Reader;
pub use remainder::{ClosedRemainder, Remainder};
pub use restore::{Restored, restore};
pub use retention::{Keep, Pruned};
pub use statistics::{Statistics, TableSize, TierSize, statistics};
pub use words::{By, Dimension, Metric, Unit};
pub use writer::{Writer, WriterHealth};
