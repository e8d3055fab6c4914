//! Single records: pages of them, and one by its id.

use record::{MetricRecord, UnixMillis};

use super::selection::Selection;
use crate::answer::RequestsPage;
use crate::engine::Session;
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
    let selection = Selection::new(session, &query.filter).await?;
    // One row more than asked for tells whether there is a next page.
    let mut rows = session
        .page(&selection, position.from..position.to, position.limit + 1)
        .await?;
    let more = rows.len() > position.limit;
    rows.truncate(position.limit);
    let next = rows.last().filter(|_| more).map(|(id, _)| cursor_text(*id));
    Ok(RequestsPage {
        records: rows.into_iter().map(|(_, record)| record).collect(),
        next,
    })
}

/// The newest record with a request id.
pub(super) async fn request(session: &mut Session, id: &str) -> Result<Option<MetricRecord>, QueryError> {
    let rid = rid_bytes(id);
    let near = match uuid_v7_moment(id) {
        Some(made_at) => {
            let window = (made_at.minus(ID_DISTANCE_MAX), made_at.plus(ID_DISTANCE_MAX));
            session.find(&rid, window).await?
        }
        None => None,
    };
    if near.is_some() {
        return Ok(near);
    }
    // A client may send an id of any form, even a UUIDv7 with a time of its own.
    session.find(&rid, (UnixMillis(0), UnixMillis(i64::MAX))).await
}
