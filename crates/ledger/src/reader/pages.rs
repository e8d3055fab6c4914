//! Single records: pages of them, one by its id, and the pulses.

use std::collections::HashSet;

use record::{MetricRecord, Pulse, UnixMillis};
use sqlx::sqlite::SqliteRow;

use super::selection::{Selection, request_condition};
use super::session::Session;
use crate::answer::RequestsPage;
use crate::columns::{self, Ids, record_columns};
use crate::error::QueryError;
use crate::identifier::{RowId, rid_bytes, uuid_v7_moment};
use crate::question::{PAGE_LIMIT_MAX, Page, Query, cursor_id, cursor_text};

/// How far the time in an id that we made may be from the start of its request. Both are read from the same
/// clock at nearly the same moment; a minute is more than any step of that clock between the two.
const ID_DISTANCE_MAX: std::time::Duration = std::time::Duration::from_mins(1);

/// Which rows a page may show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    from: i64,
    to: i64,
    limit: usize,
}

// === impl Position ===

impl Position {
    pub(super) fn new(query: &Query, page: &Page) -> Result<Self, QueryError> {
        let mut to = RowId::first_at(query.to).0;
        if let Some(cursor) = &page.cursor {
            to = to.min(cursor_id(cursor).ok_or(QueryError::Cursor)?);
        }
        Ok(Self {
            from: RowId::first_at(query.from).0,
            to,
            limit: page.limit.clamp(1, PAGE_LIMIT_MAX),
        })
    }
}

/// One page of records, newest first.
pub(super) async fn requests(
    session: &mut Session,
    query: &Query,
    position: Position,
) -> Result<RequestsPage, QueryError> {
    let selection = Selection::new(session.connection(), &query.filter).await?;
    let select = sqlx::query(concat!(
        "SELECT ",
        record_columns!(),
        " FROM request WHERE ",
        request_condition!(),
        " ORDER BY id DESC LIMIT ?11"
    ));
    // One row more than asked for tells whether there is a next page.
    let rows_max = i64::try_from(position.limit + 1).unwrap_or(i64::MAX);
    let select = selection
        .bind(select.bind(position.from).bind(position.to))
        .bind(rows_max);
    let mut rows = select.fetch_all(session.connection()).await?;
    let more = rows.len() > position.limit;
    rows.truncate(position.limit);
    let next = match rows.last() {
        Some(last) if more => Some(cursor_text(sqlx::Row::try_get(last, 0)?)),
        _ => None,
    };
    Ok(RequestsPage {
        records: records(session, &rows).await?,
        next,
    })
}

/// The newest record with a request id.
pub(super) async fn request(session: &mut Session, id: &str) -> Result<Option<MetricRecord>, QueryError> {
    let near = match uuid_v7_moment(id) {
        Some(made_at) => {
            let (from, to) = (made_at.minus(ID_DISTANCE_MAX), made_at.plus(ID_DISTANCE_MAX));
            find(session, id, from, to).await?
        }
        None => None,
    };
    if near.is_some() {
        return Ok(near);
    }
    // A client may send an id of any form, even a UUIDv7 with a time of its own.
    find(session, id, UnixMillis(0), UnixMillis(i64::MAX)).await
}

/// Every pulse that can be read. One of another version that cannot is not worth an error.
pub(super) async fn pulses(session: &mut Session) -> Result<Vec<Pulse>, QueryError> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT pulse, families FROM pulse ORDER BY instance")
        .fetch_all(session.connection())
        .await?;
    let pulses = rows.into_iter().filter_map(|(text, families)| {
        let pulse: Pulse = serde_json::from_str(&text).ok()?;
        Some(Pulse { families, ..pulse })
    });
    Ok(pulses.collect())
}

async fn find(
    session: &mut Session,
    id: &str,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Option<MetricRecord>, QueryError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        record_columns!(),
        " FROM request WHERE id >= ?1 AND id < ?2 AND rid = ?3 ORDER BY id DESC LIMIT 1"
    ))
    .bind(RowId::first_at(from).0)
    .bind(RowId::first_at(to).0)
    .bind(rid_bytes(id))
    .fetch_all(session.connection())
    .await?;
    Ok(records(session, &rows).await?.pop())
}

async fn records(session: &mut Session, rows: &[SqliteRow]) -> Result<Vec<MetricRecord>, QueryError> {
    let mut ids = HashSet::new();
    for row in rows {
        let Ids {
            pool,
            model_requested,
            model,
            replica,
            error_type,
            key,
            user,
            sdk,
            tags,
        } = columns::ids_of(row)?;
        ids.extend(
            [pool, model_requested, model, replica, error_type, key, user, sdk]
                .into_iter()
                .chain(tags)
                .flatten(),
        );
    }
    let names = session.names().of(session.connection(), ids).await?;
    rows.iter()
        .map(|row| columns::record_of(row, |id| names.get(id)))
        .collect()
}
