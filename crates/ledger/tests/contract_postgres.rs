//! The promises of the ledger in PostgreSQL: those of `contract.rs` that are no matter of files, by the
//! same tests, and those that only a server and many writers can be asked for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "contract_postgres/cluster.rs"]
mod cluster;
#[path = "contract_postgres/copies.rs"]
mod copies;
#[path = "contract_postgres/faults.rs"]
mod faults;
#[path = "contract/figures.rs"]
mod figures;
#[path = "contract_postgres/fleet.rs"]
mod fleet;
#[path = "contract/pages.rs"]
mod pages;
#[path = "contract/records.rs"]
mod records;
#[path = "contract_postgres/relay.rs"]
mod relay;
#[path = "contract/retention.rs"]
mod retention;
#[path = "contract/rollups.rs"]
mod rollups;
#[path = "contract_postgres/support.rs"]
mod support;
#[path = "contract/who.rs"]
mod who;
