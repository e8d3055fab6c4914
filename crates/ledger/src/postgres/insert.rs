//! A batch of rows into `request`.
//!
//! A batch is one argument: an array of rows. Measured here for each row of 74 columns, on the server:
//! 11 us as one array for each column, each unpacked into a table of its own, with a conflict clause; 5 us
//! like this. COPY takes 4 us, but its end is a small write after another one, which without TCP_NODELAY
//! waits 40 ms on every network connection, and sqlx 0.9.0 does not set that:
//! <https://github.com/launchbadge/sqlx/issues/4335>.

use std::borrow::Cow;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgHasArrayType, PgTypeInfo};
use sqlx::{Arguments as _, Encode, Postgres, Type};

use super::failure::is_duplicate;
use super::names::without_nul;
use crate::columns::{self, RECORD_COLUMNS_LEN, Values, record_columns};
use crate::dictionary::Entry;
use crate::identifier::RowId;

/// Rows of one statement at most: bounds the message, and while the server stores one, the next is encoded.
const ROWS_MAX: usize = 512;

/// The type of a row, made by the migrations.
const ROW_TYPE: &str = "request_row";

/// The text never changes, so that it is planned once.
const INSERT: &str = concat!(
    "INSERT INTO request (",
    record_columns!(),
    ") SELECT * FROM unnest($1)"
);

/// What the server calls the types of our values:
/// <https://github.com/postgres/postgres/blob/REL_14_STABLE/src/include/catalog/pg_type.dat>
mod oid {
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT8: u32 = 20;
    pub(super) const TEXT: u32 = 25;
    pub(super) const FLOAT8: u32 = 701;
}

/// A row to be sent.
#[derive(Clone, Copy, Debug)]
struct SentRow<'a> {
    entry: &'a Entry<'a>,
    id: RowId,
}

/// Writes the values of one row as the server's own form of a composite: type, length and bytes of each.
#[derive(Debug)]
struct Fields<'b> {
    buffer: &'b mut Vec<u8>,
}

/// Inserts all records, in the open transaction. `false` when an id was taken already: then the transaction
/// is to be rolled back, and the batch tried again with other ids than those that are taken.
pub(super) async fn insert(
    connection: &mut PgConnection,
    entries: &[Entry<'_>],
    ids: &[RowId],
) -> Result<bool, sqlx::Error> {
    let mut chunks = entries.chunks(ROWS_MAX).zip(ids.chunks(ROWS_MAX));
    let mut next = chunks.next().map(arguments);
    while let Some(arguments_now) = next {
        let insert = sqlx::query_with(INSERT, arguments_now?).execute(&mut *connection);
        // The server works on this one while the next is made.
        let (inserted, made) = futures::join!(insert, async { chunks.next().map(arguments) });
        match inserted {
            Ok(_) => next = made,
            Err(error) if is_duplicate(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn arguments((entries, ids): (&[Entry<'_>], &[RowId])) -> Result<PgArguments, sqlx::Error> {
    let rows: Vec<_> = entries
        .iter()
        .zip(ids)
        .map(|(entry, id)| SentRow { entry, id: *id })
        .collect();
    let mut arguments = PgArguments::default();
    // Type, length and a whole number take sixteen bytes.
    arguments.reserve(1, rows.len() * RECORD_COLUMNS_LEN * 16);
    arguments.add(rows).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

// === impl SentRow ===

impl Type<Postgres> for SentRow<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name(ROW_TYPE)
    }
}

impl PgHasArrayType for SentRow<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of(ROW_TYPE)
    }
}

impl Encode<'_, Postgres> for SentRow<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let columns = i32::try_from(RECORD_COLUMNS_LEN)?;
        buffer.extend_from_slice(&columns.to_be_bytes());
        let mut fields = Fields { buffer };
        columns::bind(&mut fields, self.id, self.entry.record, &self.entry.ids);
        Ok(IsNull::No)
    }
}

// === impl Fields ===

impl Fields<'_> {
    fn put(&mut self, oid: u32, value: Option<&[u8]>) {
        self.buffer.extend_from_slice(&oid.to_be_bytes());
        // A value that is longer than the server could hold is none.
        let sized = value.and_then(|value| Some((value, i32::try_from(value.len()).ok()?)));
        match sized {
            Some((value, len)) => {
                self.buffer.extend_from_slice(&len.to_be_bytes());
                self.buffer.extend_from_slice(value);
            }
            None => self.buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
}

impl Values for Fields<'_> {
    fn integer(&mut self, value: Option<i64>) {
        self.put(
            oid::INT8,
            value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice),
        );
    }

    fn real(&mut self, value: Option<f64>) {
        self.put(
            oid::FLOAT8,
            value.map(f64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice),
        );
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.put(oid::BYTEA, value);
    }

    fn text(&mut self, value: Option<&str>) {
        let value: Option<Cow<'_, str>> = value.map(without_nul);
        self.put(oid::TEXT, value.as_deref().map(str::as_bytes));
    }
}
