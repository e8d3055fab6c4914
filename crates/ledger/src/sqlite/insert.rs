//! Multi-row INSERTs of records. One statement for many rows is what makes sqlx fast: each statement crosses
//! a channel to its thread (measured: 20 k rows/s one by one, 270 k rows/s with 900 rows a statement).

use std::sync::Arc;

use record::MetricRecord;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use crate::columns::{self, RECORD_COLUMNS_LEN, Values, record_columns};
use crate::dictionary::Entry;
use crate::identifier::RowId;

/// Rows of one statement, largest first. Few sizes, so that each text is prepared once and found in the
/// cache. The largest is what SQLite's 32,766 values allow for 74 columns, rounded down.
const ROWS: [usize; 4] = [440, 64, 8, 1];

/// Texts of the INSERTs.
#[derive(Debug)]
pub(super) struct Inserts {
    texts: [Arc<str>; ROWS.len()],
}

/// The rows of one statement, and its text.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    text: &'a Arc<str>,
    entries: &'a [Entry<'a>],
}

/// The values of one statement.
struct Arguments {
    arguments: SqliteArguments,
    refused: Option<sqlx::error::BoxDynError>,
}

/// Hands out row ids. Ids that an earlier run used are stepped over by [`Inserts::insert`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    next: u16,
}

// === impl Inserts ===

impl Inserts {
    pub(super) fn new() -> Self {
        let row = format!("({})", ["?"; RECORD_COLUMNS_LEN].join(","));
        let text = |rows: usize| {
            let values = vec![row.as_str(); rows].join(",");
            Arc::from(format!(
                "INSERT INTO request ({}) VALUES {values}",
                record_columns!()
            ))
        };
        Self {
            texts: ROWS.map(text),
        }
    }

    /// Inserts all records, in the open transaction. While SQLite's thread takes one statement, the values of
    /// the next are put together here.
    pub(super) async fn insert(
        &self,
        connection: &mut SqliteConnection,
        sequence: &mut Sequence,
        entries: &[Entry<'_>],
    ) -> Result<(), sqlx::Error> {
        let mut chunks = self.chunks(entries);
        let mut next = chunks.next().map(|chunk| chunk.bound(sequence)).transpose()?;
        while let Some((chunk, arguments)) = next {
            // The text is made of our own column names and question marks.
            let insert = sqlx::query_with(AssertSqlSafe(Arc::clone(chunk.text)), arguments);
            let bind = async { chunks.next().map(|chunk| chunk.bound(sequence)).transpose() };
            // Polled in this order: the statement is on its way before the binding begins.
            let (inserted, bound) = tokio::join!(biased; insert.execute(&mut *connection), bind);
            match inserted {
                Ok(_) => {}
                // The statement alone is undone (SQLite's ABORT), the transaction goes on.
                Err(error) if is_taken(&error) => {
                    self.one_by_one(connection, sequence, chunk.entries).await?;
                }
                Err(error) => return Err(error),
            }
            next = bound?;
        }
        Ok(())
    }

    /// Cuts a batch into statements, largest first.
    fn chunks<'a>(&'a self, entries: &'a [Entry<'a>]) -> impl Iterator<Item = Chunk<'a>> {
        let mut rest = entries;
        std::iter::from_fn(move || {
            let mut sizes = ROWS.into_iter().zip(&self.texts);
            let (text, (entries, after)) =
                sizes.find_map(|(rows, text)| Some((text, rest.split_at_checked(rows)?)))?;
            rest = after;
            Some(Chunk { text, entries })
        })
    }

    /// The sequence wraps after 65,536 requests, so a long request may meet the id of a short one that began
    /// in the same millisecond. Each row then looks for the next free id.
    async fn one_by_one(
        &self,
        connection: &mut SqliteConnection,
        sequence: &mut Sequence,
        chunk: &[Entry<'_>],
    ) -> Result<(), sqlx::Error> {
        let [.., single] = &self.texts;
        for Entry { record, ids } in chunk {
            let wanted = sequence.id(record);
            let id = free_id(connection, wanted).await?;
            let mut arguments = Arguments::with_capacity(1);
            columns::bind(&mut arguments, id, record, ids);
            sqlx::query_with(AssertSqlSafe(Arc::clone(single)), arguments.into_inner()?)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

// === impl Chunk ===

impl Chunk<'_> {
    /// Itself with its values.
    fn bound(self, sequence: &mut Sequence) -> Result<(Self, SqliteArguments), sqlx::Error> {
        let mut arguments = Arguments::with_capacity(self.entries.len());
        for Entry { record, ids } in self.entries {
            columns::bind(&mut arguments, sequence.id(record), record, ids);
        }
        Ok((self, arguments.into_inner()?))
    }
}

// === impl Arguments ===

impl Arguments {
    fn with_capacity(rows: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        sqlx::Arguments::reserve(&mut arguments, rows * RECORD_COLUMNS_LEN, 0);
        Self {
            arguments,
            refused: None,
        }
    }

    fn into_inner(self) -> Result<SqliteArguments, sqlx::Error> {
        match self.refused {
            Some(refused) => Err(sqlx::Error::Encode(refused)),
            None => Ok(self.arguments),
        }
    }

    fn value<'t, T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&mut self, value: T) {
        if let Err(refused) = sqlx::Arguments::add(&mut self.arguments, value) {
            self.refused.get_or_insert(refused);
        }
    }
}

impl Values for Arguments {
    fn integer(&mut self, value: Option<i64>) {
        self.value(value);
    }

    fn real(&mut self, value: Option<f64>) {
        self.value(value);
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.value(value.map(<[u8]>::to_vec));
    }

    fn text(&mut self, value: Option<&str>) {
        self.value(value.map(str::to_owned));
    }
}

// === impl Sequence ===

impl Sequence {
    /// Goes on after the newest stored row.
    pub(super) async fn resume(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let (newest,): (Option<i64>,) = sqlx::query_as("SELECT max(id) FROM request")
            .fetch_one(connection)
            .await?;
        Ok(Self {
            next: newest.map_or(0, |id| RowId(id).sequence().wrapping_add(1)),
        })
    }

    fn id(&mut self, record: &MetricRecord) -> RowId {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        // One SQLite file has one writer, so its instance is always 0.
        RowId::new(record.started_at, 0, sequence)
    }
}

/// The first free id from `wanted` on. Only a moment with more than 65,536 requests runs into the next one.
async fn free_id(connection: &mut SqliteConnection, wanted: RowId) -> Result<RowId, sqlx::Error> {
    let taken: Option<(i64,)> = sqlx::query_as("SELECT id FROM request WHERE id = ?1")
        .bind(wanted.0)
        .fetch_optional(&mut *connection)
        .await?;
    if taken.is_none() {
        return Ok(wanted);
    }
    // The end of the run of taken ids that begins here: the first row whose successor is free.
    let (last,): (i64,) = sqlx::query_as(
        "SELECT id FROM request AS taken WHERE id >= ?1 \
         AND NOT EXISTS (SELECT 1 FROM request WHERE id = taken.id + 1) ORDER BY id LIMIT 1",
    )
    .bind(wanted.0)
    .fetch_one(connection)
    .await?;
    Ok(RowId(last + 1))
}

fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
