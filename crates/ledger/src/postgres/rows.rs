//! Single rows of `request`: which are there, the newest, the oldest, how many.

use record::UnixMillis;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::scan::is_kept;
use crate::columns::{Row, first_id_at};
use crate::error::QueryError;
use crate::identifier::RowId;

/// Which of these ids are taken. It happens where more than 32 proxies share the bits of an id, and where a
/// long request meets the sequence number of a short one that began in the same millisecond.
pub(super) async fn taken(connection: &mut PgConnection, ids: &[RowId]) -> Result<Vec<i64>, sqlx::Error> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let taken: Vec<(i64,)> = sqlx::query_as("SELECT id FROM request WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    Ok(taken.into_iter().map(|(id,)| id).collect())
}

/// The newest row.
pub(super) async fn newest(connection: &mut PgConnection) -> Result<Option<RowId>, sqlx::Error> {
    let newest: Option<(i64,)> = sqlx::query_as("SELECT id FROM request ORDER BY id DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(newest.map(|(id,)| RowId(id)))
}

/// The oldest row that began at `from` or later and is not past its time.
pub(super) async fn oldest(
    connection: &mut PgConnection,
    from: UnixMillis,
) -> Result<Option<RowId>, sqlx::Error> {
    let oldest: Option<(i64,)> = sqlx::query_as(concat!(
        "SELECT id FROM request WHERE id >= $1 AND ",
        is_kept!(),
        " ORDER BY id LIMIT 1"
    ))
    .bind(first_id_at(from))
    .fetch_optional(connection)
    .await?;
    Ok(oldest.map(|(id,)| RowId(id)))
}

/// How many rows began in `[from, to)` and are not past their time.
pub(super) async fn tally(
    connection: &mut PgConnection,
    (from, to): (UnixMillis, UnixMillis),
) -> Result<u64, sqlx::Error> {
    let (rows,): (i64,) = sqlx::query_as(concat!(
        "SELECT count(*) FROM request WHERE id >= $1 AND id < $2 AND ",
        is_kept!()
    ))
    .bind(first_id_at(from))
    .bind(first_id_at(to))
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Integer columns are two, four or eight bytes wide. sqlx reads any of them as the widest when it is not
/// asked whether the type is the same.
impl Row for PgRow {
    fn integer(&self, at: usize) -> Result<Option<i64>, QueryError> {
        Ok(self.try_get_unchecked(at)?)
    }

    fn real(&self, at: usize) -> Result<Option<f64>, QueryError> {
        Ok(self.try_get(at)?)
    }

    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, QueryError> {
        Ok(self.try_get(at)?)
    }

    fn text(&self, at: usize) -> Result<Option<String>, QueryError> {
        Ok(self.try_get(at)?)
    }
}
