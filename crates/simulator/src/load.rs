//! The load generator: fake applications that talk to a server, and what they saw.
//!
//! It is a client on raw TCP, so that each read has its own moment and a request can be dropped at any of
//! them.

mod arrivals;
mod compare;
mod drive;
mod exchange;
mod scan;
mod settings;
mod summary;
mod traffic;

pub use compare::{CompareError, Comparison, compare};
pub use drive::{DriveError, drive};
pub use settings::{LoadSettings, Mode, Traffic};
pub use summary::{Percentiles, Summary, Timed};
