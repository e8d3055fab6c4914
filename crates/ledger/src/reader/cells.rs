//! Stored cells into the cells of an answer.

use std::collections::HashSet;

use record::UnixMillis;

use super::gather::{Gathered, Grouping};
use super::selection::Selection;
use crate::cell::Counts;
use crate::engine::Session;
use crate::error::QueryError;
use crate::question::Filter;
use crate::rollup::{Axes, Bucket, Cube, Slice};
use crate::sheet::Entries;
use crate::words::{By, Dimension};

/// The cube that tells apart everything a question filters and groups by; `None` when only the rows do.
pub(super) fn cube_for(filter: &Filter, by: Option<&By>) -> Option<Cube> {
    if !filter.outcome.is_empty() || filter.stream.is_some() {
        return None;
    }
    let dimension = match by {
        Some(By::Dimension(dimension)) => Some(*dimension),
        _ => None,
    };
    if matches!(
        dimension,
        Some(Dimension::Outcome | Dimension::Stream | Dimension::FinishReason | Dimension::ErrorType)
    ) {
        return None;
    }
    let route = !(filter.pool.is_empty() && filter.replica.is_empty() && filter.endpoint.is_empty())
        || matches!(
            dimension,
            Some(Dimension::Pool | Dimension::Replica | Dimension::Endpoint)
        );
    let key = !filter.key.is_empty() || dimension == Some(Dimension::Key);
    let user = !filter.user.is_empty() || dimension == Some(Dimension::User);
    let mut tags: HashSet<&str> = filter.tags.keys().map(|name| &**name).collect();
    if let Some(By::Tag(name)) = by {
        tags.insert(name);
    }
    match (route, key, user, tags.len()) {
        (false, false, false, 0) => Some(Cube::Model),
        (true, false, false, 0) => Some(Cube::Route),
        (false, true, false, 0) => Some(Cube::Key),
        (false, false, true, 0) => Some(Cube::User),
        (false, false, false, 1) => Some(Cube::Tag),
        _ => None,
    }
}

/// Adds the stored cells of a slice to the cells of an answer.
pub(super) async fn add_cells(
    session: &mut Session,
    selection: &Selection,
    slice: Slice,
    grouping: &Grouping,
    gathered: &mut Gathered,
) -> Result<(), QueryError> {
    session
        .sheets(slice, |at_s, bytes| {
            add_sheet(
                bytes,
                Bucket::of(slice.cube, slice.seconds, at_s),
                selection,
                grouping,
                gathered,
            )
            .ok_or(QueryError::Row)
        })
        .await
}

fn add_sheet(
    bytes: &[u8],
    bucket: Bucket,
    selection: &Selection,
    grouping: &Grouping,
    gathered: &mut Gathered,
) -> Option<()> {
    let base = bucket.begin();
    let moment = grouping.bucket(UnixMillis(base.0));
    let mut entries = Entries::new(bucket.cube, bytes)?;
    // The cells of one name follow each other: they are added up before their group is looked for, which is
    // most of the work for a year of users.
    let mut run: Option<(Option<i64>, Counts)> = None;
    while let Some(stored) = entries.next()? {
        if !selection.passes(bucket.cube, &stored.axes) || !grouping.takes(&stored.axes) {
            continue;
        }
        let value = value(grouping.by.as_ref(), &stored.axes);
        if bucket.cube.holds_spreads() {
            let cell = gathered.cell(value, moment);
            cell.merge(&stored.cell_with(base, grouping.wanted)?);
            continue;
        }
        if let Some((of, sum)) = run.take_if(|(of, _)| *of != value) {
            gathered.cell(of, moment).counts.merge(&sum);
        }
        let (_, sum) = run.get_or_insert((value, Counts::default()));
        stored.add_counts(base, sum)?;
    }
    if let Some((of, sum)) = run {
        gathered.cell(of, moment).counts.merge(&sum);
    }
    Some(())
}

/// The stored value of a cell's group.
fn value(by: Option<&By>, axes: &Axes) -> Option<i64> {
    let known = |id: i64| (id != 0).then_some(id);
    match by {
        Some(By::Tag(_)) => known(axes.name),
        Some(By::Dimension(dimension)) => match dimension {
            Dimension::Model => known(axes.model),
            Dimension::Pool => known(axes.pool),
            Dimension::Replica => known(axes.replica),
            // Every request has an endpoint, and 0 is one of them.
            Dimension::Endpoint => Some(axes.endpoint),
            Dimension::Key | Dimension::User => known(axes.name),
            Dimension::Outcome | Dimension::Stream | Dimension::FinishReason | Dimension::ErrorType => None,
        },
        None => None,
    }
}
