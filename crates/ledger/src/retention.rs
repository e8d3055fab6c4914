//! Retention: old rows and cells go in small steps between batches, so that no batch waits long, and the file
//! shrinks. Here: what may go; how it goes is the engine's.

use std::time::Duration;

use record::UnixMillis;

use crate::rollup::{Cube, TIERS, TierStates, align_down, second_of};

/// How long a pulse of a proxy that is gone is shown as stale.
const PULSE_AGE_MAX: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// How long requests and their sums are kept. Sums of thirty days are kept for ever: there are twelve a year.
///
/// The spans are those of figures by model. Figures by replica, key, user and tag are many more, and each of
/// their tiers is kept as long as the next finer one by model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// The requests themselves.
    pub requests: Duration,
    /// Sums of ten minutes; those of a single minute a tenth of it.
    pub minutes: Duration,
    /// Sums of six hours; those of a single hour a quarter of it.
    pub hours: Duration,
    /// Sums of a day and of five days.
    pub days: Duration,
    /// Size of the database beyond which the oldest requests go before their time; `None` is no limit. Sums
    /// stay.
    pub max_bytes: Option<u64>,
}

/// What one step of retention did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// Rows and cells that were deleted.
    pub rows: u64,
    /// Whether another step has work to do.
    pub more: bool,
}

// === impl Keep ===

impl Default for Keep {
    fn default() -> Self {
        Self {
            requests: 7 * DAY,
            minutes: 35 * DAY,
            hours: 400 * DAY,
            days: 3_650 * DAY,
            max_bytes: None,
        }
    }
}

impl Keep {
    /// The first second of a tier that is kept at `now_s`, when the next coarser one is folded until
    /// `folded_s`.
    pub(crate) fn kept_from_s(&self, cube: Cube, seconds: i64, now_s: i64, folded_s: i64) -> i64 {
        let kept_s = i64::try_from(self.of_tier(cube, seconds).as_secs()).unwrap_or(i64::MAX);
        align_down(now_s.saturating_sub(kept_s).min(folded_s), seconds)
    }

    /// How long the cells of a tier are kept; the coarsest tier is not asked about.
    fn of_tier(&self, cube: Cube, seconds: i64) -> Duration {
        let place = TIERS.iter().position(|tier| *tier == seconds).unwrap_or(0);
        let place = if cube == Cube::Model {
            place
        } else {
            place.saturating_sub(1)
        };
        match TIERS[place] {
            60 => self.minutes / 10,
            600 => self.minutes,
            3_600 => self.hours / 4,
            21_600 => self.hours,
            _ => self.days,
        }
    }
}

/// What one step of retention may delete, by moments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Prune {
    /// Rows that began before.
    pub(crate) rows_until_s: i64,
    /// Bytes beyond which the oldest rows go too.
    pub(crate) max_bytes: Option<u64>,
    /// The present minute, of which no row goes for lack of space.
    pub(crate) minute_s: i64,
    /// Sheets of each tier that began before.
    pub(crate) tiers: Vec<(Cube, i64, i64)>,
    /// Pulses that were made before.
    pub(crate) pulses_until: UnixMillis,
}

/// Plans a step.
pub(crate) fn plan(keep: &Keep, states: &TierStates, now: UnixMillis) -> Prune {
    let minute = TIERS[0];
    let mut tiers = Vec::new();
    for cube in Cube::ALL {
        for pair in cube.tiers().windows(2) {
            let &[seconds, coarser] = pair else { continue };
            // What is not yet part of a coarser cell is kept, whatever its age.
            let folded_s = states.of(cube, coarser).folded_until_s;
            let until_s = keep.kept_from_s(cube, seconds, second_of(now), folded_s);
            tiers.push((cube, seconds, until_s.max(states.of(cube, seconds).kept_from_s)));
        }
    }
    Prune {
        rows_until_s: align_down(second_of(now.minus(keep.requests)), minute).max(states.rows_kept_from_s()),
        max_bytes: keep.max_bytes,
        minute_s: align_down(second_of(now), minute),
        tiers,
        pulses_until: now.minus(PULSE_AGE_MAX),
    }
}

// === impl Pruned ===

impl Pruned {
    /// Adds what another part of the step did.
    pub(crate) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.more |= other.more;
    }
}
