//! The readers' side of the dictionary: numbers to strings, kept in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use record::{Endpoint, FinishReason, Name, Outcome};

use crate::codes::Code;
use crate::engine::Session;
use crate::error::QueryError;
use crate::packed::tag_of;
use crate::words::{By, Dimension};

/// Most strings kept. Beyond it the cache starts over.
const CACHE_LEN_MAX: usize = 200_000;

/// Strings by number. A number never changes its meaning, so nothing here grows stale.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameCache {
    names: Arc<Mutex<HashMap<i64, Name>>>,
}

// === impl NameCache ===

impl NameCache {
    /// The strings that are known, and the numbers of those that are not.
    pub(crate) fn known(&self, ids: HashSet<i64>) -> (HashMap<i64, Name>, Vec<i64>) {
        let cache = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match cache.get(&id) {
                Some(name) => {
                    names.insert(id, Name::clone(name));
                }
                None => missing.push(id),
            }
        }
        (names, missing)
    }

    /// Keeps strings that were looked up.
    pub(crate) fn keep(&self, found: &[(i64, Name)]) {
        if found.is_empty() {
            return;
        }
        let mut cache = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() > CACHE_LEN_MAX {
            cache.clear();
        }
        for (id, name) in found {
            cache.insert(*id, Name::clone(name));
        }
    }
}

/// The words behind the stored values of a group.
pub(super) async fn words(
    session: &mut Session,
    by: &By,
    values: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Name>, QueryError> {
    let word: fn(i64) -> Option<&'static str> = match by {
        By::Dimension(Dimension::Endpoint) => |code| Endpoint::from_code(code).map(Endpoint::as_str),
        By::Dimension(Dimension::Outcome) => |code| Outcome::from_code(code).map(Outcome::as_str),
        By::Dimension(Dimension::FinishReason) => {
            |code| FinishReason::from_code(code).map(FinishReason::as_str)
        }
        By::Dimension(Dimension::Stream) => |code| Some(if code == 0 { "false" } else { "true" }),
        By::Tag(_) => {
            let texts = texts(session, values.collect()).await?;
            return texts
                .into_iter()
                .map(|(id, text)| Ok((id, tag_of(&text).ok_or(QueryError::Row)?.value)))
                .collect();
        }
        By::Dimension(
            Dimension::Model
            | Dimension::Pool
            | Dimension::Replica
            | Dimension::Key
            | Dimension::User
            | Dimension::ErrorType,
        ) => return texts(session, values.collect()).await,
    };
    values
        .map(|code| Some((code, Name::from(word(code)?))))
        .collect::<Option<_>>()
        .ok_or(QueryError::Row)
}

/// The strings behind all these numbers.
async fn texts(session: &mut Session, ids: HashSet<i64>) -> Result<HashMap<i64, Name>, QueryError> {
    let cache = session.name_cache();
    let (mut names, missing) = cache.known(ids);
    let found = session.names(&missing).await?;
    if found.len() != missing.len() {
        return Err(QueryError::Row);
    }
    cache.keep(&found);
    names.extend(found);
    Ok(names)
}
