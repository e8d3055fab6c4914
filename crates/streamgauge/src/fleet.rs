//! `simulate --fleet`: routing policies over a simulated fleet, without GPUs and without waiting.
//!
//! Our policies run as the proxy runs them (`ours.rs`). Those of other routers are written after their
//! sources, for comparison, and live here only. The same seed gives the same table.

mod cache;
mod cache_aware;
mod command;
mod measured;
mod oracle;
mod ours;
mod replica;
mod router;
mod run;
mod scorers;
mod workload;

pub(crate) use command::{FleetArgs, simulate};
