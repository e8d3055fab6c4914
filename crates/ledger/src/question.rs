//! Questions to the ledger: a window of time, filters, and pages.

use std::collections::BTreeMap;

use record::{Endpoint, Name, Outcome, UnixMillis};

/// Most records on one page. Larger answers are paged through.
pub const PAGE_LIMIT_MAX: usize = 1_000;

/// Most points of one series: more than a screen has columns, and a bound on the work.
pub const POINTS_MAX: u32 = 1_500;

/// Which requests a question is about: those that began in `[from, to)` and pass the filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Begin of the window, inclusive.
    pub from: UnixMillis,
    /// End of the window, exclusive.
    pub to: UnixMillis,
    /// What the requests must be.
    pub filter: Filter,
}

/// Several values of one field are alternatives; several fields must all hold. Empty means any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The model that answered, else the one that was asked for.
    pub model: Vec<Name>,
    /// The pool.
    pub pool: Vec<Name>,
    /// The replica of the last attempt.
    pub replica: Vec<Name>,
    /// What was asked for.
    pub endpoint: Vec<Endpoint>,
    /// How the request ended.
    pub outcome: Vec<Outcome>,
    /// Whether a stream was asked for.
    pub stream: Option<bool>,
    /// The hash or alias of the API key.
    pub key: Vec<Name>,
    /// The hash of the end user.
    pub user: Vec<Name>,
    /// The values of configured tags, by the tag's name.
    pub tags: BTreeMap<Name, Vec<Name>>,
}

/// Which part of a long list is wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// Most records wanted; more than [`PAGE_LIMIT_MAX`] counts as that, 0 as 1.
    pub limit: usize,
    /// Where the previous page ended, as its `next` said; `None` is the first page.
    pub cursor: Option<String>,
}

// === impl Query ===

impl Query {
    /// All requests of a window.
    #[must_use]
    pub fn window(from: UnixMillis, to: UnixMillis) -> Self {
        Self {
            from,
            to,
            filter: Filter::default(),
        }
    }

    /// Whether no request can be in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }
}

/// The cursor text for the last row of a page: its id and check digits, so that a number of somebody else's
/// is refused and not taken for the end of the list. Opaque to callers; only [`cursor_id`] reads it.
pub(crate) fn cursor_text(id: i64) -> String {
    format!("{id:x}.{:04x}", check_digits(id))
}

/// The row id behind a cursor; `None` when it is not one of ours.
pub(crate) fn cursor_id(text: &str) -> Option<i64> {
    let (id, _) = text.split_once('.')?;
    let id = i64::from_str_radix(id, 16).ok().filter(|id| *id > 0)?;
    (cursor_text(id) == text).then_some(id)
}

/// The high bits of a product with an odd number, which every bit of the id has a part in.
fn check_digits(id: i64) -> u64 {
    id.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_foreign_text_is_refused() {
        assert_eq!(cursor_id(&cursor_text(987_654_321)), Some(987_654_321));
        for text in [
            "",
            "zz",
            "abc",
            "-1",
            "0",
            "abc.0000",
            "ffffffffffffffffffff",
            "1 OR 1=1",
        ] {
            assert_eq!(cursor_id(text), None, "{text:?} is not a cursor");
        }
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_empty() {
        assert!(Query::window(UnixMillis(5), UnixMillis(5)).is_empty());
        assert!(!Query::window(UnixMillis(5), UnixMillis(6)).is_empty());
    }
}
