//! Rows of `request`: a batch in through arrays, one for each column, and single rows out.

use std::sync::{Arc, LazyLock};

use record::UnixMillis;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::names::without_nul;
use super::scan::is_kept;
use crate::columns::{self, RECORD_COLUMNS_LEN, Row, Values, first_id_at, record_columns};
use crate::dictionary::Entry;
use crate::error::QueryError;
use crate::identifier::RowId;

/// Rows of one statement at most: what a writer has at once, and a bound on the message.
const ROWS_MAX: usize = 4_096;

/// One statement for any number of rows: its text never changes, so that it is planned once. Measured here:
/// 170,000 rows/s, against 15,000 one by one; COPY is no faster, and meets the missing TCP_NODELAY of sqlx
/// 0.9.0 (<https://github.com/launchbadge/sqlx/issues/4335>).
static INSERT: LazyLock<Arc<str>> = LazyLock::new(|| {
    let places: Vec<String> = (1..=RECORD_COLUMNS_LEN)
        .map(|place| format!("${place}"))
        .collect();
    let text = format!(
        "INSERT INTO request ({}) SELECT * FROM unnest({}) ON CONFLICT DO NOTHING",
        record_columns!(),
        places.join(",")
    );
    Arc::from(text)
});

/// The values of one column.
#[derive(Debug)]
enum Array {
    Integer(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Text(Vec<Option<String>>),
}

/// The columns of a batch, filled row by row from left to right.
#[derive(Debug)]
struct Arrays {
    columns: Vec<Array>,
    at: usize,
    rows: usize,
}

/// Inserts all records, in the open transaction. `false` when an id was taken already: then the transaction
/// is to be rolled back, and the batch tried again with other ids than those [`taken`].
pub(super) async fn insert(
    connection: &mut PgConnection,
    entries: &[Entry<'_>],
    ids: &[RowId],
) -> Result<bool, sqlx::Error> {
    for (entries, ids) in entries.chunks(ROWS_MAX).zip(ids.chunks(ROWS_MAX)) {
        let mut arrays = Arrays::new(entries.len());
        for (entry, id) in entries.iter().zip(ids) {
            columns::bind(&mut arrays, *id, entry.record, &entry.ids);
            arrays.at = 0;
        }
        // The text is made of our own column names.
        let insert = sqlx::query_with(AssertSqlSafe(Arc::clone(&INSERT)), arrays.arguments()?);
        let inserted = insert.execute(&mut *connection).await?.rows_affected();
        if usize::try_from(inserted) != Ok(entries.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

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

// === impl Arrays ===

impl Arrays {
    fn new(rows: usize) -> Self {
        Self {
            columns: Vec::with_capacity(RECORD_COLUMNS_LEN),
            at: 0,
            rows,
        }
    }

    /// The column of the next value, begun by the first row.
    fn next(&mut self, begin: fn(usize) -> Array) -> Option<&mut Array> {
        if self.at == self.columns.len() {
            self.columns.push(begin(self.rows));
        }
        self.at += 1;
        self.columns.get_mut(self.at - 1)
    }

    fn arguments(self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        // A number and its length take twelve bytes.
        arguments.reserve(self.columns.len(), self.columns.len() * self.rows * 12);
        for column in self.columns {
            match column {
                Array::Integer(values) => arguments.add(values),
                Array::Real(values) => arguments.add(values),
                Array::Bytes(values) => arguments.add(values),
                Array::Text(values) => arguments.add(values),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }
}

/// Each place of a row has one type in every row, because one function writes them all.
impl Values for Arrays {
    fn integer(&mut self, value: Option<i64>) {
        if let Some(Array::Integer(values)) = self.next(|rows| Array::Integer(Vec::with_capacity(rows))) {
            values.push(value);
        }
    }

    fn real(&mut self, value: Option<f64>) {
        if let Some(Array::Real(values)) = self.next(|rows| Array::Real(Vec::with_capacity(rows))) {
            values.push(value);
        }
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        if let Some(Array::Bytes(values)) = self.next(|rows| Array::Bytes(Vec::with_capacity(rows))) {
            values.push(value.map(<[u8]>::to_vec));
        }
    }

    fn text(&mut self, value: Option<&str>) {
        if let Some(Array::Text(values)) = self.next(|rows| Array::Text(Vec::with_capacity(rows))) {
            values.push(value.map(without_nul));
        }
    }
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
