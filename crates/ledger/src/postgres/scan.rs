//! Rows that pass a selection, one after the other, as samples: the exact way, for windows and filters that
//! no rollup covers.

use futures::TryStreamExt as _;
use record::UnixMillis;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query as SqlQuery;
use sqlx::{Postgres, Row as _};

use crate::cell::Sample;
use crate::columns::{self, Row as _, SAMPLE_COLUMNS_LEN, first_id_at, sample_columns};
use crate::error::QueryError;
use crate::reader::Selection;
use crate::words::{By, Dimension};

/// The condition that a row is not past its time. Readers see no such row, though its partition may still
/// be there.
macro_rules! is_kept {
    () => {
        "id >= (SELECT coalesce(max(kept_from_s), 0) * 1000 << 21 FROM tier WHERE seconds = 0)"
    };
}

/// The condition on rows. `$1` and `$2` are the row ids of the window, `$3` to `$11` a [`Selection`]: a
/// list that is NULL lets everything pass. `$11` is a JSON list of lists: of each, one tag must be there.
macro_rules! request_condition {
    () => {
        concat!(
            "id >= $1 AND id < $2 \
         AND ",
            is_kept!(),
            " \
         AND ($3::bigint[] IS NULL OR coalesce(model_id, model_requested_id) = ANY($3)) \
         AND ($4::bigint[] IS NULL OR pool_id = ANY($4)) \
         AND ($5::bigint[] IS NULL OR replica_id = ANY($5)) \
         AND ($6::bigint[] IS NULL OR endpoint = ANY($6)) \
         AND ($7::bigint[] IS NULL OR outcome = ANY($7)) \
         AND ($8::bigint IS NULL OR stream = $8) \
         AND ($9::bigint[] IS NULL OR key_id = ANY($9)) \
         AND ($10::bigint[] IS NULL OR user_id = ANY($10)) \
         AND ($11::text IS NULL OR NOT EXISTS (SELECT 1 FROM json_array_elements($11::json) AS wanted \
             WHERE NOT EXISTS (SELECT 1 FROM json_array_elements_text(wanted) AS tag \
                 WHERE strpos(tag_ids, ',' || tag || ',') > 0)))"
        )
    };
}
pub(super) use {is_kept, request_condition};

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
    connection: &mut PgConnection,
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
            each(row.integer(SAMPLE_COLUMNS_LEN)?, None, &sample);
        }
    }
    Ok(())
}

/// Binds `$3` to `$11` of [`request_condition`].
pub(super) fn bind_selection<'q>(
    query: SqlQuery<'q, Postgres, PgArguments>,
    selection: &'q Selection,
) -> SqlQuery<'q, Postgres, PgArguments> {
    let tags = (!selection.tags.is_empty()).then(|| {
        let lists: Vec<String> = selection
            .tags
            .iter()
            .map(|ids| {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                format!("[{}]", ids.join(","))
            })
            .collect();
        format!("[{}]", lists.join(","))
    });
    query
        .bind(selection.model.as_deref())
        .bind(selection.pool.as_deref())
        .bind(selection.replica.as_deref())
        .bind(selection.endpoint.as_deref())
        .bind(selection.outcome.as_deref())
        .bind(selection.stream.map(i64::from))
        .bind(selection.key.as_deref())
        .bind(selection.user.as_deref())
        .bind(tags)
}

fn text(by: Option<&By>) -> &'static str {
    let by = match by {
        None => return scan!("NULL::bigint"),
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
