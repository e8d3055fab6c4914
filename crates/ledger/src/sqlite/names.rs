//! The dictionary, for readers: strings by number.

use record::Name;
use sqlx::sqlite::SqliteConnection;

use crate::codes::{Code as _, Kind};

/// The numbers and texts of those strings of a kind that are in a JSON list.
pub(super) const NUMBERS: &str =
    "SELECT id, name FROM dim WHERE kind = ?1 AND name IN (SELECT value FROM json_each(?2))";

/// The numbers and texts of those of some strings that have one.
pub(super) async fn numbers(
    connection: &mut SqliteConnection,
    kind: Kind,
    names: &[&Name],
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(NUMBERS)
        .bind(kind.code())
        .bind(json_list(names))
        .fetch_all(connection)
        .await
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

/// A JSON list of strings, for `json_each`.
pub(super) fn json_list(names: &[&Name]) -> String {
    let names = names.iter().map(|name| serde_json::Value::from(&***name));
    serde_json::Value::from_iter(names).to_string()
}

fn named(rows: Vec<(i64, String)>) -> Vec<(i64, Name)> {
    rows.into_iter()
        .map(|(id, name)| (id, Name::from(name)))
        .collect()
}
