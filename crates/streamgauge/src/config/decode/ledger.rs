//! `ledger`: where records are kept, and for how long.

use std::time::Duration;

use ::proxy::Retention;

use super::values::{some_bytes, span};
use crate::config::address;
use crate::config::problem::Problem;
use crate::config::reader::Section;

/// A file beside the working folder, so that a start without any configuration keeps its records.
const URL: &str = "sqlite://data/streamgauge.db";

/// Bytes of records that may wait while the ledger takes none. Why this number: about a minute of 2,000
/// requests a second, and little beside what their open streams hold.
const OVERFLOW_BYTES: u64 = 96 << 20;

/// How long single requests are kept. Why this number: a week lets people compare today with the same day of
/// the week before.
const REQUESTS: Duration = Duration::from_hours(7 * 24);

/// What the keys say.
#[derive(Clone, Debug)]
pub(super) struct LedgerKeys {
    /// Where the ledger is.
    pub(super) url: String,
    /// How long it keeps what.
    pub(super) retention: Retention,
    /// Bytes of records that may wait while it cannot be written.
    pub(super) overflow: u64,
}

/// Reads the section.
pub(super) fn decode(mut ledger: Section<'_>, problems: &mut Vec<Problem>) -> LedgerKeys {
    let url = ledger.value("url", URL.to_owned(), problems, address::ledger);
    let overflow = ledger.value("overflow", OVERFLOW_BYTES, problems, some_bytes);
    let mut keep = ledger.section("keep", problems);
    let retention = Retention {
        requests: keep.value("requests", REQUESTS, problems, span),
        max_size: ledger.optional("max_size", problems, some_bytes),
    };
    keep.finish(problems);
    ledger.finish(problems);
    LedgerKeys {
        url,
        retention,
        overflow,
    }
}
