//! Stored cells into the cells of an answer.

use futures::TryStreamExt as _;
use record::UnixMillis;
use sqlx::sqlite::SqliteConnection;

use super::gather::{Gathered, Grouping};
use super::selection::Selection;
use crate::cell::Cell;
use crate::error::QueryError;
use crate::question::Filter;
use crate::rollup::{Cube, second_of};
use crate::words::Dimension;

/// The condition on cells. `?1` and `?2` are the tier and the cube, `?3` and `?4` the window in seconds.
macro_rules! read {
    ($value:literal) => {
        concat!(
            "SELECT at_s, ",
            $value,
            " AS value, cell FROM rollup WHERE seconds = ?1 AND cube = ?2 AND at_s >= ?3 AND at_s < ?4 ",
            "AND (?5 IS NULL OR model_id IN (SELECT value FROM json_each(?5))) ",
            "AND (?6 IS NULL OR pool_id IN (SELECT value FROM json_each(?6))) ",
            "AND (?7 IS NULL OR replica_id IN (SELECT value FROM json_each(?7))) ",
            "AND (?8 IS NULL OR endpoint IN (SELECT value FROM json_each(?8))) ",
            "AND (?9 IS NULL OR name_id IN (SELECT value FROM json_each(?9)))"
        )
    };
}

/// One tier of one cube, and the seconds `[from_s, to_s)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) cube: Cube,
    pub(super) seconds: i64,
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

/// The cube that tells apart everything a question filters and groups by; `None` when only the rows do.
pub(super) fn cube_for(filter: &Filter, by: Option<Dimension>) -> Option<Cube> {
    if !filter.outcome.is_empty() || filter.stream.is_some() {
        return None;
    }
    let route = !(filter.pool.is_empty() && filter.replica.is_empty() && filter.endpoint.is_empty())
        || matches!(
            by,
            Some(Dimension::Pool | Dimension::Replica | Dimension::Endpoint)
        );
    let key = !filter.key.is_empty() || by == Some(Dimension::Key);
    let user = !filter.user.is_empty() || by == Some(Dimension::User);
    let rows = matches!(
        by,
        Some(Dimension::Outcome | Dimension::Stream | Dimension::FinishReason | Dimension::ErrorType)
    );
    match (rows, route, key, user) {
        (false, _, false, false) => Some(Cube::Route),
        (false, false, true, false) => Some(Cube::Key),
        (false, false, false, true) => Some(Cube::User),
        _ => None,
    }
}

/// Adds the stored cells of a slice to the cells of an answer.
pub(super) async fn add_cells(
    connection: &mut SqliteConnection,
    selection: &Selection,
    slice: Slice,
    grouping: Grouping,
    gathered: &mut Gathered,
) -> Result<(), QueryError> {
    let name = match slice.cube {
        Cube::Route => None,
        Cube::Key => selection.key.as_deref(),
        Cube::User => selection.user.as_deref(),
    };
    let mut rows = sqlx::query_as::<_, (i64, Option<i64>, Vec<u8>)>(text(grouping.by))
        .bind(slice.seconds)
        .bind(slice.cube.code())
        .bind(second_of(slice.from))
        .bind(second_of(slice.to))
        .bind(selection.model.as_deref())
        .bind(selection.pool.as_deref())
        .bind(selection.replica.as_deref())
        .bind(selection.endpoint.as_deref())
        .bind(name)
        .fetch(connection);
    while let Some((at_s, value, bytes)) = rows.try_next().await? {
        let cell = Cell::decode(&bytes).ok_or(QueryError::Row)?;
        gathered
            .cell(value, grouping.bucket(UnixMillis(at_s * 1_000)))
            .merge(&cell);
    }
    Ok(())
}

fn text(by: Option<Dimension>) -> &'static str {
    match by {
        Some(Dimension::Model) => read!("nullif(model_id, 0)"),
        Some(Dimension::Pool) => read!("nullif(pool_id, 0)"),
        Some(Dimension::Replica) => read!("nullif(replica_id, 0)"),
        // Every request has an endpoint, and 0 is one of them.
        Some(Dimension::Endpoint) => read!("endpoint"),
        Some(Dimension::Key | Dimension::User) => read!("nullif(name_id, 0)"),
        None
        | Some(Dimension::Outcome | Dimension::Stream | Dimension::FinishReason | Dimension::ErrorType) => {
            read!("NULL")
        }
    }
}
