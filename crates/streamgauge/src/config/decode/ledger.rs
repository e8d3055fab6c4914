//! `ledger`: where records are kept, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use ::proxy::{BackupSettings, Retention};

use super::values::{at_least_one, some_bytes, span};
use crate::config::address;
use crate::config::problem::Problem;
use crate::config::reader::Section;

/// A file beside the working folder, so that a start without any configuration keeps its records.
const URL: &str = "sqlite://data/streamgauge.db";

/// Bytes of records that may wait while the ledger takes none. Why this number: about a minute of 2,000
/// requests a second, and little beside what their open streams hold.
const OVERFLOW_BYTES: u64 = 96 << 20;

const DAY: Duration = Duration::from_hours(24);

/// How long single requests are kept. Why this number: a week lets people compare today with the same day of
/// the week before.
const REQUESTS: Duration = DAY.saturating_mul(7);

/// How long sums are kept. Why these numbers: a month and a bit in steps of ten minutes, a year and a bit in
/// steps of six hours; together some six bytes for each request of a fleet of 80 replicas.
const MINUTES: Duration = DAY.saturating_mul(35);
const HOURS: Duration = DAY.saturating_mul(400);
const DAYS: Duration = DAY.saturating_mul(3_650);

/// Scheduled backups that stay. Why this number: a week of daily ones.
const BACKUPS: usize = 7;

/// What the keys say.
#[derive(Clone, Debug)]
pub(super) struct LedgerKeys {
    /// Where the ledger is.
    pub(super) url: String,
    /// How long it keeps what.
    pub(super) retention: Retention,
    /// Bytes of records that may wait while it cannot be written.
    pub(super) overflow: u64,
    /// When it is backed up.
    pub(super) backup: BackupSettings,
}

/// Reads the section.
pub(super) fn decode(mut ledger: Section<'_>, problems: &mut Vec<Problem>) -> LedgerKeys {
    let url = ledger.value("url", URL.to_owned(), problems, address::ledger);
    let overflow = ledger.value("overflow", OVERFLOW_BYTES, problems, some_bytes);
    let mut keep = ledger.section("keep", problems);
    let retention = Retention {
        requests: keep.value("requests", REQUESTS, problems, span),
        minutes: keep.value("minutes", MINUTES, problems, span),
        hours: keep.value("hours", HOURS, problems, span),
        days: keep.value("days", DAYS, problems, span),
        max_size: ledger.optional("max_size", problems, some_bytes),
    };
    keep.finish(problems);
    let backup = decode_backup(ledger.section("backup", problems), &url, problems);
    ledger.finish(problems);
    LedgerKeys {
        url,
        retention,
        overflow,
        backup,
    }
}

fn decode_backup(mut backup: Section<'_>, url: &str, problems: &mut Vec<Problem>) -> BackupSettings {
    let in_a_file = url.starts_with("sqlite:");
    let every = backup.optional("every", problems, |text| {
        if in_a_file {
            span(text)
        } else {
            Err("only a ledger in SQLite is backed up here; use pg_dump and leave this out".to_owned())
        }
    });
    let folder = |text: &str| Ok(PathBuf::from(text));
    let settings = BackupSettings {
        every,
        to: backup.value("to", PathBuf::from("backups"), problems, folder),
        keep: backup.value("keep", BACKUPS, problems, at_least_one),
    };
    backup.finish(problems);
    settings
}
