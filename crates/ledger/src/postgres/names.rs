//! The dictionary: strings by number.
//!
//! Numbers are made outside of a batch's transaction: two proxies that meet the same new model at once must
//! not wait for each other's batches, and a number that no row uses does no harm.

use std::borrow::Cow;

use record::Name;
use sqlx::postgres::PgConnection;

use crate::codes::{Code as _, Kind};

/// The numbers of some strings, in their order.
pub(super) async fn find(
    connection: &mut PgConnection,
    names: &[(Kind, Name)],
) -> Result<Vec<Option<i64>>, sqlx::Error> {
    let (kinds, texts) = columns(names);
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT given.place, dim.id::bigint \
         FROM unnest($1, $2) WITH ORDINALITY AS given (kind, name, place) \
         JOIN dim ON dim.kind = given.kind AND dim.name = given.name",
    )
    .bind(kinds)
    .bind(texts)
    .fetch_all(connection)
    .await?;
    let mut ids = vec![None; names.len()];
    for (place, id) in found {
        let at = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let Some(slot) = ids.get_mut(at) {
            *slot = Some(id);
        }
    }
    Ok(ids)
}

/// Gives numbers to strings, in a transaction of their own, and returns them in their order. Another proxy
/// may have done so a moment ago; it is asked in the order of the strings, so that two that do it at once
/// never wait for each other in a circle.
pub(super) async fn make(
    connection: &mut PgConnection,
    names: &[(Kind, Name)],
) -> Result<Vec<i64>, sqlx::Error> {
    let (kinds, texts) = columns(names);
    sqlx::query(
        "INSERT INTO dim (kind, name) SELECT DISTINCT kind, name FROM unnest($1, $2) AS given (kind, name) \
         ORDER BY kind, name ON CONFLICT (kind, name) DO NOTHING",
    )
    .bind(kinds)
    .bind(texts)
    .execute(&mut *connection)
    .await?;
    let made = find(connection, names).await?;
    made.into_iter()
        .map(|id| id.ok_or(sqlx::Error::RowNotFound))
        .collect()
}

/// How many strings of each kind there are.
pub(super) async fn counts(connection: &mut PgConnection) -> Result<Vec<(Kind, u64)>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT kind::bigint, count(*) FROM dim GROUP BY kind")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, count)| Some((Kind::from_code(kind)?, u64::try_from(count).ok()?)))
        .collect())
}

/// The numbers of those of some strings of a kind that have one.
pub(super) async fn numbers(
    connection: &mut PgConnection,
    kind: Kind,
    names: &[Name],
) -> Result<Vec<i64>, sqlx::Error> {
    let texts: Vec<String> = names.iter().map(text).collect();
    let found: Vec<(i64,)> = sqlx::query_as("SELECT id::bigint FROM dim WHERE kind = $1 AND name = ANY($2)")
        .bind(kind.code())
        .bind(texts)
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// The strings behind some numbers.
pub(super) async fn texts(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<Vec<(i64, Name)>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id::bigint, name FROM dim WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    Ok(named(rows))
}

/// The numbers and strings of a kind that begin with `prefix`.
pub(super) async fn with_prefix(
    connection: &mut PgConnection,
    kind: Kind,
    prefix: &str,
) -> Result<Vec<(i64, Name)>, sqlx::Error> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id::bigint, name FROM dim WHERE kind = $1 AND starts_with(name, $2)")
            .bind(kind.code())
            .bind(without_nul(prefix))
            .fetch_all(connection)
            .await?;
    Ok(named(rows))
}

/// PostgreSQL's text holds no NUL, and a batch must not fail for one in the name of a model.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn text(name: &Name) -> String {
    without_nul(name).into_owned()
}

fn columns(names: &[(Kind, Name)]) -> (Vec<i64>, Vec<String>) {
    names.iter().map(|(kind, name)| (kind.code(), text(name))).unzip()
}

fn named(rows: Vec<(i64, String)>) -> Vec<(i64, Name)> {
    rows.into_iter()
        .map(|(id, name)| (id, Name::from(name)))
        .collect()
}
