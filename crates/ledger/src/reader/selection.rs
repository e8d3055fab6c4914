//! A filter as stored numbers.

use crate::codes::{Code, Kind};
use crate::engine::Session;
use crate::error::QueryError;
use crate::packed::tag_text;
use crate::question::Filter;
use crate::rollup::{Axes, Cube};

/// The stored numbers that a filter lets pass; `None` lets everything pass. Strings that were never stored
/// are left out, so that an empty list lets nothing pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) model: Option<Vec<i64>>,
    pub(crate) pool: Option<Vec<i64>>,
    pub(crate) replica: Option<Vec<i64>>,
    pub(crate) endpoint: Option<Vec<i64>>,
    pub(crate) outcome: Option<Vec<i64>>,
    pub(crate) stream: Option<bool>,
    pub(crate) key: Option<Vec<i64>>,
    pub(crate) user: Option<Vec<i64>>,
    /// For each tag that is filtered by, the numbers of its values; one of each list must be there.
    pub(crate) tags: Vec<Vec<i64>>,
}

// === impl Selection ===

impl Selection {
    pub(super) async fn new(session: &mut Session, filter: &Filter) -> Result<Self, QueryError> {
        let mut tags = Vec::with_capacity(filter.tags.len());
        for (name, values) in &filter.tags {
            let texts: Vec<_> = values
                .iter()
                .map(|value| {
                    let (name, value) = (name.clone(), value.clone());
                    tag_text(&record::Tag { name, value }).into()
                })
                .collect();
            tags.push(session.find_names(Kind::Tag, &texts).await?);
        }
        Ok(Self {
            model: ids(session, Kind::Model, &filter.model).await?,
            pool: ids(session, Kind::Pool, &filter.pool).await?,
            replica: ids(session, Kind::Replica, &filter.replica).await?,
            endpoint: codes(&filter.endpoint),
            outcome: codes(&filter.outcome),
            stream: filter.stream,
            key: ids(session, Kind::Key, &filter.key).await?,
            user: ids(session, Kind::User, &filter.user).await?,
            tags,
        })
    }

    /// Whether a cell passes. Of the cells of a cube that tells apart all that is filtered by.
    pub(super) fn passes(&self, cube: Cube, axes: &Axes) -> bool {
        let listed = |ids: &Option<Vec<i64>>, id: i64| ids.as_ref().is_none_or(|ids| ids.contains(&id));
        let name = match cube {
            Cube::Model | Cube::Route => true,
            Cube::Key => listed(&self.key, axes.name),
            Cube::User => listed(&self.user, axes.name),
            Cube::Tag => self.tags.iter().all(|ids| ids.contains(&axes.name)),
        };
        name && listed(&self.model, axes.model)
            && listed(&self.pool, axes.pool)
            && listed(&self.replica, axes.replica)
            && listed(&self.endpoint, axes.endpoint)
    }
}

async fn ids(
    session: &mut Session,
    kind: Kind,
    names: &[record::Name],
) -> Result<Option<Vec<i64>>, QueryError> {
    if names.is_empty() {
        return Ok(None);
    }
    Ok(Some(session.find_names(kind, names).await?))
}

fn codes<C: Code>(values: &[C]) -> Option<Vec<i64>> {
    (!values.is_empty()).then(|| values.iter().map(|value| value.code()).collect())
}
