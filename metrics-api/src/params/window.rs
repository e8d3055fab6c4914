//! The window in time and the filters, which nearly every path takes.

use record::{Endpoint, Name, Outcome, UnixMillis};

use super::moment::moment;
use super::{Params, word};
use crate::error::ApiError;

/// What a path without `from` and `to` is about.
const DEFAULT_FROM: &str = "now-1h";
const DEFAULT_TO: &str = "now";

/// A question to the ledger, and the moment it was asked.
#[derive(Debug)]
pub(crate) struct Windowed {
    /// The window and the filters.
    pub(crate) query: ledger::Query,
    /// The time of the request, to which `now` refers.
    pub(crate) now: UnixMillis,
}

// === impl Params ===

impl Params {
    /// Takes the window and the filters.
    ///
    /// # Errors
    /// When one of them is refused, or the window ends before it begins.
    pub(crate) fn windowed(&mut self, now: UnixMillis) -> Result<Windowed, ApiError> {
        let (from, to) = self.window(now)?;
        let filter = self.filter()?;
        Ok(Windowed {
            query: ledger::Query { from, to, filter },
            now,
        })
    }

    fn window(&mut self, now: UnixMillis) -> Result<(UnixMillis, UnixMillis), ApiError> {
        let from = self.one("from")?.unwrap_or_else(|| DEFAULT_FROM.to_owned());
        let to = self.one("to")?.unwrap_or_else(|| DEFAULT_TO.to_owned());
        let read = |name, text: &str| moment(text, now).map_err(|forms| super::refusal(name, text, &forms));
        let (start, end) = (read("from", &from)?, read("to", &to)?);
        if start < end {
            return Ok((start, end));
        }
        Err(ApiError::BadParameter(format!(
            "`from={from}` is not before `to={to}`; a window needs a `from` that is earlier than its `to`"
        )))
    }

    fn filter(&mut self) -> Result<ledger::Filter, ApiError> {
        Ok(ledger::Filter {
            model: self.names("model")?,
            pool: self.names("pool")?,
            replica: self.names("replica")?,
            endpoint: self.many("endpoint", |text| word(text, Endpoint::ALL, Endpoint::as_str))?,
            outcome: self.many("outcome", |text| word(text, Outcome::ALL, Outcome::as_str))?,
            stream: self.read("stream", |text| text.parse().map_err(|_| "write true or false"))?,
            key: self.names("key")?,
            user: self.names("user")?,
            tags: self
                .prefixed("tag.", "tag.<name>")?
                .into_iter()
                .map(|(name, values)| (name.into(), values.into_iter().map(Name::from).collect()))
                .collect(),
        })
    }

    fn names(&mut self, name: &'static str) -> Result<Vec<Name>, ApiError> {
        self.many(name, |text| Ok::<_, &str>(Name::from(text)))
    }
}
