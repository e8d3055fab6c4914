//! How the commands speak: figures on stdout, progress on stderr.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use record::UnixMillis;
use record::units::count_f64;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// One line on stderr that is written over again and again; nothing when nobody watches.
#[derive(Debug, Default)]
pub(super) struct Progress {
    shown: usize,
}

// === impl Progress ===

impl Progress {
    /// Shows where the work is.
    pub(super) fn show(&mut self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        if stderr.is_terminal() {
            let width = self.shown;
            // Without a terminal to write to there is nothing to show.
            let _ = write!(stderr, "\r{text:<width$}");
            let _ = stderr.flush();
            self.shown = text.len();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.shown);
        }
    }
}

/// Prints the result: the object, or the lines.
pub(super) fn print(json: bool, object: &Value, lines: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let outcome = if json {
        writeln!(stdout, "{object}")
    } else {
        writeln!(stdout, "{}", lines.trim_end())
    };
    outcome.context("writing the result")
}

/// A size for people: `1.4 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut value = count_f64(bytes);
    let mut units = ["B", "KiB", "MiB", "GiB"].into_iter();
    let mut unit = units.next().unwrap_or("B");
    for larger in units {
        if value < 1_024.0 {
            break;
        }
        value /= 1_024.0;
        unit = larger;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A moment for people, in UTC: `2026-11-25 02:15:00`; `-` for none.
pub(super) fn moment(at: Option<UnixMillis>) -> String {
    let nanoseconds = at.map(|at| i128::from(at.0).saturating_mul(1_000_000));
    nanoseconds
        .and_then(|nanoseconds| OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok())
        .and_then(|moment| moment.format(MOMENT).ok())
        .unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (20 << 30, "20.0 GiB"),
            (1 << 50, "1048576.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(moment(None), "-");
        assert_eq!(moment(Some(UnixMillis(1_795_572_900_000))), "2026-11-25 02:15:00");
    }
}
