//! Single records: pages of them, one by its id, and the pulses.

use std::collections::HashSet;
use std::ops::Range;

use record::{MetricRecord, Pulse, UnixMillis};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::scan::{bind_selection, is_kept, request_condition};
use super::session::Session;
use crate::columns::{self, record_columns};
use crate::error::QueryError;
use crate::identifier::RowId;
use crate::reader::Selection;

/// The newest records that pass, newest first, with their row ids.
pub(super) async fn page(
    session: &mut Session,
    selection: &Selection,
    ids: Range<i64>,
    limit: usize,
) -> Result<Vec<(i64, MetricRecord)>, QueryError> {
    let select = sqlx::query(concat!(
        "SELECT ",
        record_columns!(),
        " FROM request WHERE ",
        request_condition!(),
        " ORDER BY id DESC LIMIT $12"
    ));
    let select = bind_selection(select.bind(ids.start).bind(ids.end), selection);
    let rows = select
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(session.connection())
        .await?;
    let records = records(session, &rows).await?;
    rows.iter()
        .zip(records)
        .map(|(row, record)| Ok((row.try_get(0)?, record)))
        .collect()
}

/// The newest record with a request id.
pub(super) async fn find(
    session: &mut Session,
    rid: &[u8],
    (from, to): (UnixMillis, UnixMillis),
) -> Result<Option<MetricRecord>, QueryError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        record_columns!(),
        " FROM request WHERE id >= $1 AND id < $2 AND rid = $3 AND ",
        is_kept!(),
        " ORDER BY id DESC LIMIT 1"
    ))
    .bind(RowId::first_at(from).0)
    .bind(RowId::first_at(to).0)
    .bind(rid)
    .fetch_all(session.connection())
    .await?;
    Ok(records(session, &rows).await?.pop())
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

async fn records(session: &mut Session, rows: &[PgRow]) -> Result<Vec<MetricRecord>, QueryError> {
    let mut ids = HashSet::new();
    for row in rows {
        ids.extend(columns::ids_of(row)?.all());
    }
    let cache = session.name_cache();
    let (mut names, missing) = cache.known(ids);
    let found = session.names(&missing).await?;
    cache.keep(&found);
    names.extend(found);
    rows.iter()
        .map(|row| {
            columns::record_of(row, |id| {
                id.map(|id| names.get(&id).cloned().ok_or(QueryError::Row))
                    .transpose()
            })
        })
        .collect()
}
