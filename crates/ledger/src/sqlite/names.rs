//! The dictionary: strings by number.

use std::collections::HashMap;

use record::Name;
use sqlx::sqlite::SqliteConnection;

use crate::codes::{Code as _, Kind};

/// The numbers of some strings, in their order.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    names: &[(Kind, Name)],
) -> Result<Vec<Option<i64>>, sqlx::Error> {
    let mut ids: HashMap<(Kind, String), i64> = HashMap::with_capacity(names.len());
    for kind in Kind::LIST {
        let wanted: Vec<&Name> = names
            .iter()
            .filter(|(of, _)| of == kind)
            .map(|(_, name)| name)
            .collect();
        let found = numbers(connection, *kind, &wanted).await?;
        ids.extend(found.into_iter().map(|(id, name)| ((*kind, name), id)));
    }
    Ok(names
        .iter()
        .map(|(kind, name)| ids.get(&(*kind, name.to_string())).copied())
        .collect())
}

/// The numbers and texts of those of some strings that have one.
pub(super) async fn numbers(
    connection: &mut SqliteConnection,
    kind: Kind,
    names: &[&Name],
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let list = serde_json::to_string(&names.iter().map(|name| &***name).collect::<Vec<_>>())
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_as("SELECT id, name FROM dim WHERE kind = ?1 AND name IN (SELECT value FROM json_each(?2))")
        .bind(kind.code())
        .bind(list)
        .fetch_all(connection)
        .await
}

/// Gives numbers to strings, in the open transaction.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    names: &[(Kind, Name)],
) -> Result<Vec<i64>, sqlx::Error> {
    let mut ids = Vec::with_capacity(names.len());
    for (kind, name) in names {
        // The update changes nothing: it makes RETURNING answer for a row that was there.
        let (id,): (i64,) = sqlx::query_as(
            "INSERT INTO dim (kind, name) VALUES (?1, ?2) \
             ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(kind.code())
        .bind(&**name)
        .fetch_one(&mut *connection)
        .await?;
        ids.push(id);
    }
    Ok(ids)
}

/// How many strings of each kind there are.
pub(super) async fn counts(connection: &mut SqliteConnection) -> Result<Vec<(Kind, u64)>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT kind, count(*) FROM dim GROUP BY kind")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, count)| Some((Kind::from_code(kind)?, u64::try_from(count).ok()?)))
        .collect())
}

/// The strings behind some numbers.
pub(super) async fn texts(
    connection: &mut SqliteConnection,
    ids: &[i64],
) -> Result<Vec<(i64, Name)>, sqlx::Error> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, name FROM dim WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(json(ids))
            .fetch_all(connection)
            .await?;
    Ok(named(rows))
}

/// The numbers and strings of a kind that begin with `prefix`.
pub(super) async fn with_prefix(
    connection: &mut SqliteConnection,
    kind: Kind,
    prefix: &str,
) -> Result<Vec<(i64, Name)>, sqlx::Error> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, name FROM dim WHERE kind = ?1 AND substr(name, 1, length(?2)) = ?2")
            .bind(kind.code())
            .bind(prefix)
            .fetch_all(connection)
            .await?;
    Ok(named(rows))
}

/// A JSON list of numbers, for `json_each`.
pub(super) fn json(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn named(rows: Vec<(i64, String)>) -> Vec<(i64, Name)> {
    rows.into_iter()
        .map(|(id, name)| (id, Name::from(name)))
        .collect()
}
