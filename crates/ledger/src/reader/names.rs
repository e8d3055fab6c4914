//! The readers' side of the dictionary: numbers to strings, kept in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use record::{Endpoint, FinishReason, Name, Outcome};
use sqlx::sqlite::SqliteConnection;

use crate::codes::{Code, Kind};
use crate::error::QueryError;
use crate::words::Dimension;

/// Most strings kept. Beyond it the cache starts over.
const CACHE_LEN_MAX: usize = 200_000;

/// Strings by number. A number never changes its meaning, so nothing here grows stale.
#[derive(Clone, Debug, Default)]
pub(super) struct NameCache {
    names: Arc<Mutex<HashMap<i64, Name>>>,
}

/// The strings that one answer needs.
#[derive(Debug)]
pub(super) struct Names {
    names: HashMap<i64, Name>,
}

// === impl NameCache ===

impl NameCache {
    /// The strings behind all these numbers.
    pub(super) async fn of(
        &self,
        connection: &mut SqliteConnection,
        ids: HashSet<i64>,
    ) -> Result<Names, QueryError> {
        let (mut names, missing) = self.known(ids);
        if !missing.is_empty() {
            let list = json(&missing);
            let found: Vec<(i64, String)> =
                sqlx::query_as("SELECT id, name FROM dim WHERE id IN (SELECT value FROM json_each(?1))")
                    .bind(list)
                    .fetch_all(connection)
                    .await?;
            let found = found.into_iter().map(|(id, name)| (id, Name::from(name)));
            let before = names.len();
            names.extend(found);
            if names.len() != before + missing.len() {
                return Err(QueryError::Row);
            }
            self.keep(&names, &missing);
        }
        Ok(Names { names })
    }

    fn known(&self, ids: HashSet<i64>) -> (HashMap<i64, Name>, Vec<i64>) {
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

    fn keep(&self, names: &HashMap<i64, Name>, fresh: &[i64]) {
        let mut cache = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() > CACHE_LEN_MAX {
            cache.clear();
        }
        for id in fresh {
            if let Some(name) = names.get(id) {
                cache.insert(*id, Name::clone(name));
            }
        }
    }
}

// === impl Names ===

impl Names {
    /// The string behind a number that was asked for.
    pub(super) fn get(&self, id: Option<i64>) -> Result<Option<Name>, QueryError> {
        id.map(|id| self.names.get(&id).map(Name::clone).ok_or(QueryError::Row))
            .transpose()
    }
}

/// The words behind the stored values of a dimension.
pub(super) async fn words(
    cache: &NameCache,
    connection: &mut SqliteConnection,
    dimension: Dimension,
    values: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Name>, QueryError> {
    let word: fn(i64) -> Option<&'static str> = match dimension {
        Dimension::Endpoint => |code| Endpoint::from_code(code).map(Endpoint::as_str),
        Dimension::Outcome => |code| Outcome::from_code(code).map(Outcome::as_str),
        Dimension::FinishReason => |code| FinishReason::from_code(code).map(FinishReason::as_str),
        Dimension::Stream => |code| Some(if code == 0 { "false" } else { "true" }),
        Dimension::Model
        | Dimension::Pool
        | Dimension::Replica
        | Dimension::Key
        | Dimension::User
        | Dimension::ErrorType => return Ok(cache.of(connection, values.collect()).await?.names),
    };
    values
        .map(|code| Some((code, Name::from(word(code)?))))
        .collect::<Option<_>>()
        .ok_or(QueryError::Row)
}

/// The numbers of some strings, as a JSON list for `json_each`. Strings that were never stored are left out.
pub(super) async fn ids(
    connection: &mut SqliteConnection,
    kind: Kind,
    names: &[Name],
) -> Result<Option<String>, QueryError> {
    if names.is_empty() {
        return Ok(None);
    }
    let list = serde_json::to_string(&names.iter().map(|name| &**name).collect::<Vec<_>>())
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let found: Vec<(i64,)> =
        sqlx::query_as("SELECT id FROM dim WHERE kind = ?1 AND name IN (SELECT value FROM json_each(?2))")
            .bind(kind.code())
            .bind(list)
            .fetch_all(connection)
            .await?;
    Ok(Some(json(&found.into_iter().map(|(id,)| id).collect::<Vec<_>>())))
}

/// A JSON list of numbers.
pub(super) fn json(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}
