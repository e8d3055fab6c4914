//! Cells for a question, by group and by bucket of time.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::HashMap;
use record::UnixMillis;
use record::units::duration_ms_i64;

use super::cells::{add_cells, cube_for};
use super::cover::{Piece, Source, cover};
use super::selection::Selection;
use crate::cell::{Cell, Wanted};
use crate::codes::Kind;
use crate::engine::Session;
use crate::error::QueryError;
use crate::packed::unpack_ids;
use crate::question::Query;
use crate::rollup::{Axes, Cube, Slice, TierStates, align_up, second_of};
use crate::words::By;

/// Most requests of a window that is answered from rows when cells would tell counts alone. Why this number:
/// a row takes about 2 us.
const FEW_MAX: u64 = 10_000;

/// How requests are put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Grouping {
    /// What is kept apart.
    pub(super) by: Option<By>,
    /// The width of the buckets of time; `None` puts all times together.
    pub(super) step: Option<Duration>,
    /// What of a cell the answer is made of. A single distribution is not in cells of who asked.
    pub(super) wanted: Wanted,
    /// The numbers of the values of the tag that is grouped by.
    tag_ids: HashSet<i64>,
}

/// The cells of an answer.
#[derive(Debug)]
pub(super) struct Gathered {
    /// By value of the dimension and begin of the bucket.
    pub(super) cells: HashMap<(Option<i64>, UnixMillis), Cell>,
    /// The window that was really covered.
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

// === impl Grouping ===

impl Grouping {
    pub(super) fn new(by: Option<By>, step: Option<Duration>) -> Self {
        Self {
            by,
            step,
            ..Self::default()
        }
    }

    /// Begin of the bucket of a moment; 0 when times are not kept apart.
    pub(super) fn bucket(&self, moment: UnixMillis) -> UnixMillis {
        let step_ms = self.step.map_or(0, duration_ms_i64);
        if step_ms == 0 {
            return UnixMillis(0);
        }
        UnixMillis(moment.0 - moment.0.rem_euclid(step_ms))
    }

    /// Whether a cell is in any group: a cell of another tag is not.
    pub(super) fn takes(&self, axes: &Axes) -> bool {
        !matches!(self.by, Some(By::Tag(_))) || self.tag_ids.contains(&axes.name)
    }

    /// The group of a row by its packed tags.
    fn tag_of(&self, packed: Option<&str>) -> Option<i64> {
        unpack_ids(packed?)?
            .into_iter()
            .find(|id| self.tag_ids.contains(id))
    }
}

// === impl Gathered ===

impl Gathered {
    /// The cell of a group and a bucket.
    pub(super) fn cell(&mut self, value: Option<i64>, bucket: UnixMillis) -> &mut Cell {
        self.cells.entry((value, bucket)).or_default()
    }
}

/// Gathers everything that a question is about: from cells where they tell enough, else from the rows.
pub(super) async fn gather(
    session: &mut Session,
    query: &Query,
    mut grouping: Grouping,
) -> Result<Gathered, QueryError> {
    let mut gathered = Gathered {
        cells: HashMap::default(),
        from: query.from,
        to: query.to,
    };
    if query.is_empty() {
        return Ok(gathered);
    }
    if let Some(By::Tag(name)) = &grouping.by {
        let found = session.names_with(Kind::Tag, &format!("{name}=")).await?;
        grouping.tag_ids = found.into_iter().map(|(id, _)| id).collect();
    }
    let selection = Selection::new(session, &query.filter).await?;
    let states = session.states().await?;
    let cube = match cube_for(&query.filter, grouping.by.as_ref()) {
        Some(cube)
            if !cube.holds_spreads()
                && (matches!(grouping.wanted, Wanted::One(_)) || few(session, query, &states).await?) =>
        {
            None
        }
        cube => cube,
    };
    let step_s = grouping.step.map(|step| duration_ms_i64(step) / 1_000);
    let open_end = open_end(session, query.to, cube).await?;
    let cover = cover(query.from.max(UnixMillis(0)), open_end, cube, step_s, &states);
    for piece in &cover.pieces {
        match (piece.source, cube) {
            (Source::Tier(seconds), Some(cube)) => {
                let slice = Slice {
                    cube,
                    seconds,
                    from_s: second_of(piece.from),
                    to_s: second_of(piece.to),
                };
                add_cells(session, &selection, slice, &grouping, &mut gathered).await?;
            }
            _ => add_rows(session, &selection, piece, cube, &grouping, &mut gathered).await?,
        }
    }
    gathered.from = cover.from;
    if open_end == query.to {
        gathered.to = cover.to;
    }
    Ok(gathered)
}

/// Whether the window holds so few requests that their rows, which tell everything, are read as fast as cells
/// of who asked, which tell counts alone.
async fn few(session: &mut Session, query: &Query, states: &TierStates) -> Result<bool, QueryError> {
    if second_of(query.from) < states.rows_kept_from_s() {
        return Ok(false);
    }
    let mut requests = 0;
    let cover = cover(
        query.from.max(UnixMillis(0)),
        query.to,
        Some(Cube::Model),
        None,
        states,
    );
    for piece in &cover.pieces {
        if let Source::Tier(seconds) = piece.source {
            let slice = Slice {
                cube: Cube::Model,
                seconds,
                from_s: second_of(piece.from),
                to_s: second_of(piece.to),
            };
            requests += session.count(slice).await?;
        }
    }
    Ok(requests <= FEW_MAX)
}

/// Adds the rows of a piece to the cells of an answer: their counts alone, when the other pieces have no
/// more, since a distribution of the edges is none of the window.
async fn add_rows(
    session: &mut Session,
    selection: &Selection,
    piece: &Piece,
    cube: Option<Cube>,
    grouping: &Grouping,
    gathered: &mut Gathered,
) -> Result<(), QueryError> {
    let whole = cube.is_none_or(Cube::holds_spreads);
    let by_tag = matches!(grouping.by, Some(By::Tag(_)));
    session
        .scan(
            selection,
            (piece.from, piece.to),
            grouping.by.as_ref(),
            |value, tags, sample| {
                let value = if by_tag {
                    match grouping.tag_of(tags) {
                        Some(tag) => Some(tag),
                        None => return,
                    }
                } else {
                    value
                };
                let cell = gathered.cell(value, grouping.bucket(sample.started_at));
                if whole {
                    cell.add(sample);
                } else {
                    cell.counts.add(sample);
                }
            },
        )
        .await
}

/// The end of the window, or the end of the finest cell over it when nothing that is stored began later.
/// So a window up to now is answered from cells to its very end, and is as exact.
async fn open_end(
    session: &mut Session,
    to: UnixMillis,
    cube: Option<Cube>,
) -> Result<UnixMillis, QueryError> {
    let Some(finest) = cube.and_then(|cube| cube.tiers().first()) else {
        return Ok(to);
    };
    match session.newest().await? {
        Some(newest) if newest < to => Ok(UnixMillis(align_up(to.0, finest * 1_000))),
        _ => Ok(to),
    }
}
