//! Rows that pass a selection, one after the other, as samples: the exact way, for windows and filters that
//! no rollup covers.

use futures::TryStreamExt as _;
use record::UnixMillis;
use sqlx::query::Query as SqlQuery;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Row as _, Sqlite};

use super::names::json;
use crate::cell::Sample;
use crate::columns::{self, SAMPLE_COLUMNS_LEN, first_id_at, sample_columns};
use crate::error::QueryError;
use crate::reader::Selection;
use crate::words::{By, Dimension};

/// The condition on raw rows. `?1` and `?2` are the row ids of the window, `?3` to `?11` a [`Selection`]: a
/// list that is NULL lets everything pass. `?11` is a list of lists: of each, one tag must be there.
macro_rules! request_condition {
    () => {
        "id >= ?1 AND id < ?2 \
         AND (?3 IS NULL OR coalesce(model_id, model_requested_id) IN (SELECT value FROM json_each(?3))) \
         AND (?4 IS NULL OR pool_id IN (SELECT value FROM json_each(?4))) \
         AND (?5 IS NULL OR replica_id IN (SELECT value FROM json_each(?5))) \
         AND (?6 IS NULL OR endpoint IN (SELECT value FROM json_each(?6))) \
         AND (?7 IS NULL OR outcome IN (SELECT value FROM json_each(?7))) \
         AND (?8 IS NULL OR stream = ?8) \
         AND (?9 IS NULL OR key_id IN (SELECT value FROM json_each(?9))) \
         AND (?10 IS NULL OR user_id IN (SELECT value FROM json_each(?10))) \
         AND (?11 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?11) AS wanted WHERE NOT EXISTS ( \
             SELECT 1 FROM json_each(wanted.value) AS tag \
             WHERE instr(tag_ids, ',' || tag.value || ',') > 0)))"
    };
}
pub(super) use request_condition;

/// The text of a scan that also reads one value to group by.
macro_rules! scan {
    ($value:literal) => {
        concat!(
            "SELECT ",
            sample_columns!(),
            ", ",
            $value,
            " FROM request WHERE ",
            request_condition!()
        )
    };
}

/// Calls `each` with the rows that began in `[from, to)` and pass.
pub(super) async fn scan(
    connection: &mut SqliteConnection,
    selection: &Selection,
    (from, to): (UnixMillis, UnixMillis),
    by: Option<&By>,
    mut each: impl FnMut(Option<i64>, Option<&str>, &Sample) + Send,
) -> Result<(), QueryError> {
    let select = sqlx::query(text(by))
        .bind(first_id_at(from))
        .bind(first_id_at(to));
    let mut rows = bind_selection(select, selection).fetch(connection);
    let by_tag = matches!(by, Some(By::Tag(_)));
    while let Some(row) = rows.try_next().await? {
        let sample = columns::sample_of(&row)?;
        if by_tag {
            each(None, row.try_get(SAMPLE_COLUMNS_LEN)?, &sample);
        } else {
            each(row.try_get(SAMPLE_COLUMNS_LEN)?, None, &sample);
        }
    }
    Ok(())
}

/// Binds `?3` to `?11` of [`request_condition`].
pub(super) fn bind_selection<'q>(
    query: SqlQuery<'q, Sqlite, SqliteArguments>,
    selection: &Selection,
) -> SqlQuery<'q, Sqlite, SqliteArguments> {
    let list = |ids: &Option<Vec<i64>>| ids.as_deref().map(json);
    let tags = (!selection.tags.is_empty()).then(|| {
        let lists: Vec<String> = selection.tags.iter().map(|ids| json(ids)).collect();
        format!("[{}]", lists.join(","))
    });
    query
        .bind(list(&selection.model))
        .bind(list(&selection.pool))
        .bind(list(&selection.replica))
        .bind(list(&selection.endpoint))
        .bind(list(&selection.outcome))
        .bind(selection.stream)
        .bind(list(&selection.key))
        .bind(list(&selection.user))
        .bind(tags)
}

fn text(by: Option<&By>) -> &'static str {
    let by = match by {
        None => return scan!("NULL"),
        Some(By::Tag(_)) => return scan!("tag_ids"),
        Some(By::Dimension(by)) => by,
    };
    match by {
        Dimension::Model => scan!("coalesce(model_id, model_requested_id)"),
        Dimension::Pool => scan!("pool_id"),
        Dimension::Replica => scan!("replica_id"),
        Dimension::Endpoint => scan!("endpoint"),
        Dimension::Outcome => scan!("outcome"),
        Dimension::Stream => scan!("stream"),
        Dimension::Key => scan!("key_id"),
        Dimension::User => scan!("user_id"),
        Dimension::FinishReason => scan!("finish_reason"),
        Dimension::ErrorType => scan!("error_type_id"),
    }
}
