//! Covers a window with the coarsest tiers that fit and exact rows at its edges. Pure arithmetic on
//! milliseconds.

use record::UnixMillis;

use crate::rollup::{Cube, TierStates, align_down, align_up};

/// Milliseconds of a second.
const SECOND: i64 = 1_000;

/// Where a part of a window is read from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// The rows themselves.
    Rows,
    /// The cells of a tier, by its width in seconds.
    Tier(i64),
}

/// A part of a window: `[from, to)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) source: Source,
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

/// A source and the span of time that it holds, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Holding {
    source: Source,
    /// Buckets begin at multiples of it: 1 for rows.
    grain: i64,
    from: i64,
    to: i64,
}

/// The parts that cover a window.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cover {
    pub(super) pieces: Vec<Piece>,
    /// The window that is really covered. It differs from the one asked for where rows or cells have been
    /// pruned: then an edge moves outwards to the border of a bucket that is still there, or inwards to where
    /// anything is.
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

/// Covers `[from, to)`. Without a cube, rows are all there is. With a `step`, no bucket may reach over its
/// borders.
pub(super) fn cover(
    from: UnixMillis,
    to: UnixMillis,
    cube: Option<Cube>,
    step_s: Option<i64>,
    states: &TierStates,
) -> Cover {
    let mut holdings = vec![Holding {
        source: Source::Rows,
        grain: 1,
        from: states.rows_kept_from_s() * SECOND,
        to: i64::MAX,
    }];
    if let Some(cube) = cube {
        let fits = |seconds: &&i64| step_s.is_none_or(|step| step % **seconds == 0);
        holdings.extend(cube.tiers().iter().filter(fits).map(|seconds| {
            let held = states.of(cube, *seconds);
            Holding {
                source: Source::Tier(*seconds),
                grain: seconds * SECOND,
                from: held.kept_from_s.saturating_mul(SECOND),
                to: held.folded_until_s.saturating_mul(SECOND),
            }
        }));
    }
    let (from, to) = (
        reach(&holdings, from.0, align_down),
        reach(&holdings, to.0, align_up),
    );
    let mut pieces = Vec::new();
    split(from, to, &holdings, &mut pieces);
    Cover {
        pieces,
        from: UnixMillis(from),
        to: UnixMillis(to),
    }
}

/// The edge of a window, moved to the nearest border that the finest source still held there can tell.
fn reach(holdings: &[Holding], edge: i64, align: fn(i64, i64) -> i64) -> i64 {
    let held = holdings
        .iter()
        .find(|holding| holding.from <= align_down(edge, holding.grain));
    match held {
        Some(holding) => align(edge, holding.grain),
        // Older than everything that is kept.
        None => holdings.iter().map(|holding| holding.from).min().unwrap_or(edge),
    }
}

/// `holdings` are sorted from the finest to the coarsest: the coarsest takes what it can, the others the
/// edges.
fn split(from: i64, to: i64, holdings: &[Holding], pieces: &mut Vec<Piece>) {
    if from >= to {
        return;
    }
    let Some((holding, finer)) = holdings.split_last() else {
        return;
    };
    let begin = align_up(from.max(holding.from), holding.grain);
    let end = align_down(to.min(holding.to), holding.grain);
    if begin >= end {
        split(from, to, finer, pieces);
        return;
    }
    split(from, begin, finer, pieces);
    pieces.push(Piece {
        source: holding.source,
        from: UnixMillis(begin),
        to: UnixMillis(end),
    });
    split(end, to, finer, pieces);
}

#[cfg(test)]
mod tests;
