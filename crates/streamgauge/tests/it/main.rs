//! The real binary from outside: between real sockets, with the record that each request leaves, and its own
//! end.

mod aborts;
mod attempts;
mod bytes;
mod chaos;
#[path = "../../../ledger/tests/contract_postgres/cluster.rs"]
mod cluster;
mod discovery;
mod ends;
mod exchange;
mod fleet;
mod ledgers;
mod limits;
mod measures;
mod names;
mod outcomes;
mod pools;
mod records;
mod reload;
mod replays;
mod secrets;
mod supervisor;
mod up;
