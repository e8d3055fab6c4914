//! Rollups: which cells a request belongs to, and what each tier of them holds. Pure: no SQL, no clock.
//!
//! A batch is added to the cells of the finest tier of each cube. When a bucket of a coarser tier is well
//! past, its cells are made from the next finer ones, and from then on late records are added to it as well.
//! So at every moment: a tier holds exactly the requests that began in its span, and sums over any tier equal
//! sums over the rows.

use std::collections::HashMap;

use record::{MetricRecord, UnixMillis};

use crate::codes::Code as _;
use crate::columns::Ids;

/// Widths of the tiers in seconds, finest first. Each divides the next.
pub(crate) const TIERS: [i64; 7] = [60, 600, 3_600, 21_600, 86_400, 432_000, 2_592_000];

/// A family of cells that tells the same dimensions apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Cube {
    /// By model alone: few cells, so that a year is answered at once.
    Model,
    /// By model, pool, replica and endpoint.
    Route,
    /// By API key and model; counts without distributions.
    Key,
    /// By end user and model; counts without distributions.
    User,
    /// By tag and model; counts without distributions. A request is in one cell for each of its tags.
    Tag,
}

/// The dimensions of a cell; 0 is unknown, or not told apart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Axes {
    pub(crate) name: i64,
    pub(crate) model: i64,
    pub(crate) pool: i64,
    pub(crate) replica: i64,
    pub(crate) endpoint: i64,
}

/// One bucket of one tier of one cube.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Bucket {
    pub(crate) cube: Cube,
    pub(crate) seconds: i64,
    pub(crate) at_s: i64,
}

/// The buckets of a tier of a cube that begin in `[from_s, to_s)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slice {
    pub(crate) cube: Cube,
    pub(crate) seconds: i64,
    pub(crate) from_s: i64,
    pub(crate) to_s: i64,
}

/// The span of time that a tier holds, in seconds since 1970: `[kept_from_s, folded_until_s)`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) kept_from_s: i64,
    pub(crate) folded_until_s: i64,
}

/// What every tier of every cube holds. Tier 0 are the rows themselves.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TierStates {
    held: HashMap<(i64, i64), Held>,
}

// === impl Cube ===

impl Cube {
    pub(crate) const ALL: [Self; 5] = [Self::Model, Self::Route, Self::Key, Self::User, Self::Tag];

    /// Those to which a request is added itself. The cells by model are sums of the cells by route: both have
    /// the same tiers, and are folded up to the same moments.
    pub(crate) const ADDED: [Self; 4] = [Self::Route, Self::Key, Self::User, Self::Tag];

    /// This one, and the one whose cells are sums of its cells: they are folded in one transaction.
    pub(crate) const fn with_sums(self) -> &'static [Self] {
        match self {
            Self::Model => &[Self::Model],
            Self::Route => &[Self::Route, Self::Model],
            Self::Key => &[Self::Key],
            Self::User => &[Self::User],
            Self::Tag => &[Self::Tag],
        }
    }

    /// The stored number.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Route => 0,
            Self::Key => 1,
            Self::User => 2,
            Self::Model => 3,
            Self::Tag => 4,
        }
    }

    /// What it tells apart, for people.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Route => "route",
            Self::Key => "key",
            Self::User => "user",
            Self::Tag => "tag",
        }
    }

    /// Widths of its tiers, finest first. Users are many: a minute of one user is a single request, which the
    /// row of that request tells already.
    pub(crate) fn tiers(self) -> &'static [i64] {
        match self {
            Self::Model | Self::Route => &TIERS,
            Self::Key | Self::User | Self::Tag => &TIERS[1..],
        }
    }

    /// Whether its cells hold distributions beside the counts. Who asked is told apart in so many cells that
    /// six distributions in each would be most of the ledger.
    pub(crate) const fn holds_spreads(self) -> bool {
        matches!(self, Self::Model | Self::Route)
    }

    /// Calls `each` with the cell of a record; for tags, with one cell for each.
    pub(crate) fn each_axes(self, record: &MetricRecord, ids: &Ids, mut each: impl FnMut(Axes)) {
        let model = ids.model.or(ids.model_requested).unwrap_or(0);
        let named = |id: Option<i64>| Axes {
            name: id.unwrap_or(0),
            model,
            ..Axes::default()
        };
        match self {
            Self::Model => each(named(None)),
            Self::Route => each(Axes {
                name: 0,
                model,
                pool: ids.pool.unwrap_or(0),
                replica: ids.replica.unwrap_or(0),
                endpoint: record.endpoint.code(),
            }),
            Self::Key => each(named(ids.key)),
            Self::User => each(named(ids.user)),
            Self::Tag => ids.tags.iter().flatten().for_each(|id| each(named(Some(*id)))),
        }
    }
}

// === impl Axes ===

impl Axes {
    /// Told apart by model alone.
    pub(crate) fn by_model(&self) -> Self {
        Self {
            model: self.model,
            ..Self::default()
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// The bucket of a tier in which a moment lies.
    pub(crate) fn of(cube: Cube, seconds: i64, moment_s: i64) -> Self {
        Self {
            cube,
            seconds,
            at_s: align_down(moment_s, seconds),
        }
    }

    /// Its own slice.
    pub(crate) fn slice(self) -> Slice {
        self.slice_of(self.seconds)
    }

    /// The slice of a finer tier that it spans.
    pub(crate) fn slice_of(self, finer: i64) -> Slice {
        Slice {
            cube: self.cube,
            seconds: finer,
            from_s: self.at_s,
            to_s: self.at_s + self.seconds,
        }
    }
}

// === impl TierStates ===

impl TierStates {
    /// What a tier holds. Every request is added to the finest tier at once: it is folded for ever.
    pub(crate) fn of(&self, cube: Cube, seconds: i64) -> Held {
        let held = self
            .held
            .get(&(seconds, cube.code()))
            .copied()
            .unwrap_or_default();
        if cube.tiers().first() == Some(&seconds) {
            return Held {
                folded_until_s: i64::MAX,
                ..held
            };
        }
        held
    }

    /// Sets what a tier holds, by the stored numbers of tier and cube.
    pub(crate) fn set(&mut self, seconds: i64, cube: i64, held: Held) {
        self.held.insert((seconds, cube), held);
    }

    /// Sets how far a tier is folded.
    pub(crate) fn set_folded_until(&mut self, cube: Cube, seconds: i64, until_s: i64) {
        self.held
            .entry((seconds, cube.code()))
            .or_default()
            .folded_until_s = until_s;
    }

    /// The first second of which the rows themselves are kept.
    pub(crate) fn rows_kept_from_s(&self) -> i64 {
        self.held.get(&(0, 0)).map_or(0, |held| held.kept_from_s)
    }
}

/// The second in which a moment lies.
pub(crate) fn second_of(moment: UnixMillis) -> i64 {
    moment.0.div_euclid(1_000)
}

/// The last multiple of `step` that is not later.
pub(crate) fn align_down(moment: i64, step: i64) -> i64 {
    moment - moment.rem_euclid(step)
}

/// The first multiple of `step` that is not earlier.
pub(crate) fn align_up(moment: i64, step: i64) -> i64 {
    moment.saturating_add((-moment).rem_euclid(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_divides_the_next() {
        for pair in TIERS.windows(2) {
            assert_eq!(pair[1] % pair[0], 0, "{} in {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn moments_align_to_both_sides() {
        assert_eq!((align_down(3_601, 3_600), align_up(3_601, 3_600)), (3_600, 7_200));
        assert_eq!((align_down(7_200, 3_600), align_up(7_200, 3_600)), (7_200, 7_200));
        assert_eq!((align_down(-1, 60), align_up(-1, 60)), (-60, 0));
        assert_eq!(second_of(UnixMillis(1_999)), 1);
    }

    #[test]
    fn the_finest_tier_of_a_cube_is_always_complete() {
        let mut states = TierStates::default();
        assert_eq!(states.of(Cube::Route, 60).folded_until_s, i64::MAX);
        assert_eq!(states.of(Cube::Route, 600).folded_until_s, 0);
        assert_eq!(states.of(Cube::User, 600).folded_until_s, i64::MAX);
        assert_eq!(states.rows_kept_from_s(), 0);
        states.set_folded_until(Cube::Route, 600, 1_200);
        assert_eq!(states.of(Cube::Route, 600).folded_until_s, 1_200);
    }
}
