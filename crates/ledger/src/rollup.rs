//! Rollups: which cells a request belongs to, and what each tier of them holds.
//!
//! A batch is added to the cells of the finest tier of each cube. When a bucket of a coarser tier is well
//! past, its cells are made from the next finer ones, and from then on late records are added to it as well.
//! So at every moment: a tier holds exactly the requests that began in its span, and sums over any tier equal
//! sums over the rows.

use std::collections::HashMap;

use record::{MetricRecord, UnixMillis};
use sqlx::sqlite::SqliteConnection;

use crate::codes::Code as _;
use crate::columns::Ids;

/// Widths of the tiers in seconds, finest first. Each divides the next.
pub(crate) const TIERS: [i64; 6] = [60, 600, 3_600, 21_600, 86_400, 2_592_000];

/// A family of cells that tells the same dimensions apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Cube {
    /// By model, pool, replica and endpoint.
    Route,
    /// By API key and model.
    Key,
    /// By end user and model.
    User,
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
    pub(crate) seconds: i64,
    pub(crate) cube: Cube,
    pub(crate) at_s: i64,
}

/// The span of time that a tier holds, in seconds since 1970: `[kept_from_s, folded_until_s)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) kept_from_s: i64,
    pub(crate) folded_until_s: i64,
}

/// What every tier of every cube holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TierStates {
    held: HashMap<(i64, i64), Held>,
}

// === impl Cube ===

impl Cube {
    pub(crate) const ALL: [Self; 3] = [Self::Route, Self::Key, Self::User];

    /// The stored number.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Route => 0,
            Self::Key => 1,
            Self::User => 2,
        }
    }

    /// Widths of its tiers, finest first. Users are many: a minute of one user is a single request, which the
    /// row of that request tells already.
    pub(crate) fn tiers(self) -> &'static [i64] {
        match self {
            Self::Route | Self::Key => &TIERS,
            Self::User => &TIERS[1..],
        }
    }

    /// The cell of a record.
    pub(crate) fn axes(self, record: &MetricRecord, ids: &Ids) -> Axes {
        let model = ids.model.or(ids.model_requested).unwrap_or(0);
        match self {
            Self::Route => Axes {
                name: 0,
                model,
                pool: ids.pool.unwrap_or(0),
                replica: ids.replica.unwrap_or(0),
                endpoint: record.endpoint.code(),
            },
            Self::Key => Axes {
                name: ids.key.unwrap_or(0),
                model,
                ..Axes::default()
            },
            Self::User => Axes {
                name: ids.user.unwrap_or(0),
                model,
                ..Axes::default()
            },
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// The bucket of a tier in which a moment lies.
    pub(crate) fn of(cube: Cube, seconds: i64, moment_s: i64) -> Self {
        Self {
            seconds,
            cube,
            at_s: align_down(moment_s, seconds),
        }
    }
}

// === impl TierStates ===

impl TierStates {
    /// Reads them.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let rows: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as("SELECT seconds, cube, kept_from_s, folded_until_s FROM tier")
                .fetch_all(connection)
                .await?;
        let held = rows
            .into_iter()
            .map(|(seconds, cube, kept_from_s, folded_until_s)| {
                (
                    (seconds, cube),
                    Held {
                        kept_from_s,
                        folded_until_s,
                    },
                )
            });
        Ok(Self { held: held.collect() })
    }

    /// What a tier holds. Every request is added to the finest tier at once: it is folded for ever.
    pub(crate) fn of(&self, cube: Cube, seconds: i64) -> Held {
        let stored = self.held.get(&(seconds, cube.code())).copied();
        let held = stored.unwrap_or(Held {
            kept_from_s: 0,
            folded_until_s: 0,
        });
        if cube.tiers().first() == Some(&seconds) {
            return Held {
                folded_until_s: i64::MAX,
                ..held
            };
        }
        held
    }

    /// Sets what a tier holds, for tests of what is read from where.
    #[cfg(test)]
    pub(crate) fn set(&mut self, cube: Cube, seconds: i64, held: Held) {
        self.held.insert((seconds, cube.code()), held);
    }

    /// The first second of which the rows themselves are kept.
    pub(crate) fn rows_kept_from_s(&self) -> i64 {
        self.held.get(&(0, 0)).map_or(0, |held| held.kept_from_s)
    }
}

/// Stores how far a tier is folded.
pub(crate) async fn set_folded_until(
    connection: &mut SqliteConnection,
    cube: Cube,
    seconds: i64,
    until_s: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO tier (seconds, cube, folded_until_s) VALUES (?1, ?2, ?3) \
         ON CONFLICT (seconds, cube) DO UPDATE SET folded_until_s = excluded.folded_until_s",
    )
    .bind(seconds)
    .bind(cube.code())
    .bind(until_s)
    .execute(connection)
    .await?;
    Ok(())
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
        let states = TierStates::default();
        assert_eq!(states.of(Cube::Route, 60).folded_until_s, i64::MAX);
        assert_eq!(states.of(Cube::Route, 600).folded_until_s, 0);
        assert_eq!(states.of(Cube::User, 600).folded_until_s, i64::MAX);
        assert_eq!(states.rows_kept_from_s(), 0);
    }
}
