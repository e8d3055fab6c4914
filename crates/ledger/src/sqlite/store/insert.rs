//! Records into the `request` table, one prepared statement for each: on the thread of the file that is
//! cheaper than one statement for many rows, whose program SQLite has to run row by row all the same.

use std::sync::LazyLock;

use record::UnixMillis;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension as _, ffi};

use crate::columns::{self, RECORD_COLUMNS_LEN, Values, record_columns};
use crate::dictionary::Entry;
use crate::identifier::RowId;

/// The text of the statement that inserts a row.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let values = vec!["?"; RECORD_COLUMNS_LEN].join(",");
    format!("INSERT INTO request ({}) VALUES ({values})", record_columns!())
});

/// The values of some rows, on their way to the thread of the file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// When each request began, and how many slots there are up to its end.
    rows: Vec<(UnixMillis, usize)>,
    slots: Vec<Slot>,
    /// Bytes and texts, one behind the other.
    bytes: Vec<u8>,
    /// The column of the next value, counted from 1 as SQLite does.
    column: u8,
}

/// One value. What is NULL has none.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Integer(u8, i64),
    Real(u8, f64),
    /// So many of the bytes.
    Bytes(u8, u32),
    Text(u8, u32),
}

/// Hands out row ids. Ids that an earlier run used are stepped over by [`Rows::insert`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    next: u16,
}

// === impl Rows ===

impl Rows {
    /// Takes the values of a batch in the place of those before.
    pub(super) fn set(&mut self, entries: &[Entry<'_>]) {
        self.rows.clear();
        self.slots.clear();
        self.bytes.clear();
        for Entry { record, ids } in entries {
            self.column = 0;
            // The id itself comes from the sequence, which is known to the thread of the file alone.
            columns::bind(self, RowId::first_at(record.started_at), record, ids);
            self.rows.push((record.started_at, self.slots.len()));
        }
    }

    /// Inserts them, in the open transaction.
    pub(super) fn insert(&self, connection: &Connection, sequence: &mut Sequence) -> rusqlite::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut insert = connection.prepare_cached(&INSERT)?;
        let mut bytes = self.bytes.as_slice();
        let mut from = 0;
        for (started_at, to) in &self.rows {
            insert.clear_bindings();
            for slot in &self.slots[from..*to] {
                let (column, value) = slot.value(&mut bytes);
                insert.raw_bind_parameter(usize::from(column), ToSqlOutput::Borrowed(value))?;
            }
            put(connection, &mut insert, sequence.id(*started_at))?;
            from = *to;
        }
        Ok(())
    }

    fn keep(&mut self, slot: impl FnOnce(u8) -> Slot) {
        self.slots.push(slot(self.column));
    }

    fn keep_bytes(&mut self, bytes: &[u8], slot: impl FnOnce(u8, u32) -> Slot) {
        // A value of 4 GB is beyond what SQLite takes.
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        self.keep(|column| slot(column, len));
        if len > 0 {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

impl Values for Rows {
    fn integer(&mut self, value: Option<i64>) {
        self.column += 1;
        if let Some(value) = value {
            self.keep(|column| Slot::Integer(column, value));
        }
    }

    fn real(&mut self, value: Option<f64>) {
        self.column += 1;
        if let Some(value) = value {
            self.keep(|column| Slot::Real(column, value));
        }
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.column += 1;
        if let Some(value) = value {
            self.keep_bytes(value, Slot::Bytes);
        }
    }

    fn text(&mut self, value: Option<&str>) {
        self.column += 1;
        if let Some(value) = value {
            self.keep_bytes(value.as_bytes(), Slot::Text);
        }
    }
}

// === impl Slot ===

impl Slot {
    /// The column and its value; what it takes off the front of the bytes is its own.
    fn value<'b>(self, bytes: &mut &'b [u8]) -> (u8, ValueRef<'b>) {
        let mut take = |len: u32| {
            let len = usize::try_from(len).unwrap_or(0).min(bytes.len());
            let (value, rest) = bytes.split_at(len);
            *bytes = rest;
            value
        };
        match self {
            Self::Integer(column, value) => (column, ValueRef::Integer(value)),
            Self::Real(column, value) => (column, ValueRef::Real(value)),
            Self::Bytes(column, len) => (column, ValueRef::Blob(take(len))),
            Self::Text(column, len) => (column, ValueRef::Text(take(len))),
        }
    }
}

// === impl Sequence ===

impl Sequence {
    /// Goes on after the newest stored row.
    pub(super) fn resume(connection: &Connection) -> rusqlite::Result<Self> {
        let newest: Option<i64> =
            connection.query_row("SELECT max(id) FROM request", [], |row| row.get(0))?;
        Ok(Self {
            next: newest.map_or(0, |id| RowId(id).sequence().wrapping_add(1)),
        })
    }

    fn id(&mut self, started_at: UnixMillis) -> RowId {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        // One SQLite file has one writer, so its instance is always 0.
        RowId::new(started_at, 0, sequence)
    }
}

/// Inserts the row that is bound.
///
/// The sequence wraps after 65,536 requests, so a long request may meet the id of a short one that began in
/// the same millisecond: it then takes the next free id.
fn put(connection: &Connection, insert: &mut CachedStatement<'_>, wanted: RowId) -> rusqlite::Result<()> {
    insert.raw_bind_parameter(1, wanted.0)?;
    match insert.raw_execute() {
        // The statement alone is undone (SQLite's ABORT), the transaction goes on.
        Err(error) if is_taken(&error) => {
            insert.raw_bind_parameter(1, free_id(connection, wanted)?.0)?;
            insert.raw_execute().map(|_| ())
        }
        outcome => outcome.map(|_| ()),
    }
}

/// The first free id after a taken one. Only a moment with more than 65,536 requests runs into the next one.
fn free_id(connection: &Connection, taken: RowId) -> rusqlite::Result<RowId> {
    // The end of the run of taken ids that begins here: the first row whose successor is free.
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM request AS taken WHERE id >= ?1 \
             AND NOT EXISTS (SELECT 1 FROM request WHERE id = taken.id + 1) ORDER BY id LIMIT 1",
        )?
        .query_row([taken.0], |row| row.get(0))
        .optional()?;
    Ok(RowId(last.unwrap_or(taken.0) + 1))
}

fn is_taken(error: &rusqlite::Error) -> bool {
    let Some(failure) = error.sqlite_error() else {
        return false;
    };
    failure.code == ErrorCode::ConstraintViolation
        && matches!(
            failure.extended_code,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
        )
}
