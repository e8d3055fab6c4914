//! Raw rows into cells: the exact way, for windows and filters that no rollup covers.

use futures::TryStreamExt as _;
use record::UnixMillis;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::gather::{Gathered, Grouping};
use super::selection::{Selection, request_condition};
use crate::columns::{self, SAMPLE_COLUMNS_LEN, first_id_at, sample_columns};
use crate::error::QueryError;
use crate::words::Dimension;

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

/// Adds the rows that began in `[from, to)` to their cells.
pub(super) async fn scan(
    connection: &mut SqliteConnection,
    selection: &Selection,
    (from, to): (UnixMillis, UnixMillis),
    grouping: Grouping,
    gathered: &mut Gathered,
) -> Result<(), QueryError> {
    let select = sqlx::query(text(grouping.by))
        .bind(first_id_at(from))
        .bind(first_id_at(to));
    let mut rows = selection.bind(select).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let sample = columns::sample_of(&row)?;
        let value: Option<i64> = row.try_get(SAMPLE_COLUMNS_LEN)?;
        gathered
            .cell(value, grouping.bucket(sample.started_at))
            .add(&sample);
    }
    Ok(())
}

fn text(by: Option<Dimension>) -> &'static str {
    match by {
        None => scan!("NULL"),
        Some(Dimension::Model) => scan!("coalesce(model_id, model_requested_id)"),
        Some(Dimension::Pool) => scan!("pool_id"),
        Some(Dimension::Replica) => scan!("replica_id"),
        Some(Dimension::Endpoint) => scan!("endpoint"),
        Some(Dimension::Outcome) => scan!("outcome"),
        Some(Dimension::Stream) => scan!("stream"),
        Some(Dimension::Key) => scan!("key_id"),
        Some(Dimension::User) => scan!("user_id"),
        Some(Dimension::FinishReason) => scan!("finish_reason"),
        Some(Dimension::ErrorType) => scan!("error_type_id"),
    }
}
