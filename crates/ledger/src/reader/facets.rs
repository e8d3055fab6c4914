//! The values that each filter can take in a window.

use std::collections::HashMap;

use record::Name;

use super::gather::{Grouping, gather};
use super::names::words;
use crate::answer::{FACET_VALUES_MAX, Facets};
use crate::cell::{Counts, Wanted};
use crate::engine::Session;
use crate::error::QueryError;
use crate::question::Query;
use crate::words::Dimension;

/// Looks the values up. The filter of the question does not narrow them: a list to choose from shows what
/// else there is.
pub(super) async fn facets(session: &mut Session, query: &Query) -> Result<Facets, QueryError> {
    let query = &Query::window(query.from, query.to);
    let (model, whole) = values(session, query, Dimension::Model).await?;
    let outcome = whole
        .by_outcome()
        .map(|(outcome, _)| outcome.as_str().into())
        .collect();
    Ok(Facets {
        model: sorted(model),
        pool: sorted(values(session, query, Dimension::Pool).await?.0),
        replica: sorted(values(session, query, Dimension::Replica).await?.0),
        endpoint: sorted(values(session, query, Dimension::Endpoint).await?.0),
        outcome: sorted(outcome),
        key: values(session, query, Dimension::Key).await?.0,
        user: values(session, query, Dimension::User).await?.0,
    })
}

/// The values of a dimension, the busiest first, and the sum of everything.
async fn values(
    session: &mut Session,
    query: &Query,
    by: Dimension,
) -> Result<(Vec<Name>, Counts), QueryError> {
    let mut grouping = Grouping::new(Some(by.into()), None);
    grouping.wanted = Wanted::Counts;
    let gathered = gather(session, query, grouping).await?;
    let mut whole = Counts::default();
    let mut counts: HashMap<i64, u64> = HashMap::new();
    for ((value, _), cell) in &gathered.cells {
        whole.merge(&cell.counts);
        if let Some(value) = value {
            *counts.entry(*value).or_default() += cell.counts.requests;
        }
    }
    let mut busiest: Vec<(i64, u64)> = counts.into_iter().collect();
    busiest.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    busiest.truncate(FACET_VALUES_MAX);
    let names = words(session, &by.into(), busiest.iter().map(|(value, _)| *value)).await?;
    let names = busiest
        .iter()
        .filter_map(|(value, _)| names.get(value).cloned())
        .collect();
    Ok((names, whole))
}

fn sorted(mut names: Vec<Name>) -> Vec<Name> {
    names.sort_unstable();
    names
}
