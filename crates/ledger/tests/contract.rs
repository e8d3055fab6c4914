//! The promises of the ledger, tested from outside through files on disk. What is no matter of files is
//! promised by PostgreSQL too: `contract_postgres.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "contract/audits.rs"]
mod audits;
#[path = "contract/backups.rs"]
mod backups;
#[path = "contract/faults.rs"]
mod faults;
#[path = "contract/figures.rs"]
mod figures;
#[path = "contract/history.rs"]
mod history;
#[path = "contract/pages.rs"]
mod pages;
#[path = "contract/records.rs"]
mod records;
#[path = "contract/remainders.rs"]
mod remainders;
#[path = "contract/retention.rs"]
mod retention;
#[path = "contract/rollups.rs"]
mod rollups;
#[path = "contract/sizes.rs"]
mod sizes;
#[path = "contract/support.rs"]
mod support;
#[path = "contract/who.rs"]
mod who;
