//! The configuration: from file, environment and flags to the checked settings of both processes.
//!
//! Precedence, highest first: flags, `STREAMGAUGE_*`, the old Python names, the file, defaults. Every
//! complaint names its place and its key; all of them are shown at once. Nothing here opens a socket or a
//! database.

mod address;
mod decode;
mod environment;
mod load;
mod node;
mod print;
mod problem;
mod reader;
mod substitute;
mod yaml;

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;

pub(crate) use address::ledger_path;
pub(crate) use decode::Config;
pub(crate) use environment::Environment;
pub(crate) use load::{Flags, load, load_resolved, replicas_in};
pub(crate) use print::Secrets;
pub(crate) use problem::Problems;
