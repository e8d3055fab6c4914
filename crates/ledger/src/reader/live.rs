//! When a proxy was there to be asked: a bucket of a series without one is a gap, not a zero.
//!
//! With each pulse the writer makes sure that its minute has a sheet, if only an empty one; folding carries
//! that up. So a tier tells as finely as it is wide whether any proxy was live.

use std::time::Duration;

use record::UnixMillis;

use super::cover::{Source, cover};
use crate::engine::Session;
use crate::error::QueryError;
use crate::question::Query;
use crate::rollup::{Cube, Slice, TIERS, TierStates, align_down, align_up, second_of};

/// Spans of time in which a proxy was live, in their order, none reaching over another.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    spans: Vec<(i64, i64)>,
}

// === impl Live ===

impl Live {
    /// Looks a window up, as finely as its steps need it.
    pub(super) async fn of(
        session: &mut Session,
        query: &Query,
        step: Duration,
        states: &TierStates,
    ) -> Result<Self, QueryError> {
        let minute = TIERS[0];
        let step_s = i64::try_from(step.as_secs()).unwrap_or(i64::MAX);
        // A finer step lies in a minute or touches two: minutes tell.
        let grain_s = if step_s % minute == 0 { step_s } else { minute };
        let from_s = align_down(second_of(query.from).max(0), minute);
        let to_s = align_up(second_of(query.to).saturating_add(1), minute);
        let window = (UnixMillis(from_s * 1_000), UnixMillis(to_s.saturating_mul(1_000)));
        let cover = cover(window.0, window.1, Some(Cube::Model), Some(grain_s), states);
        let mut spans = Vec::new();
        for piece in &cover.pieces {
            let Source::Tier(seconds) = piece.source else {
                continue;
            };
            let slice = Slice {
                cube: Cube::Model,
                seconds,
                from_s: second_of(piece.from),
                to_s: second_of(piece.to),
            };
            let begins = session.begins(slice).await?;
            spans.extend(
                begins
                    .into_iter()
                    .map(|at_s| (at_s * 1_000, (at_s + seconds) * 1_000)),
            );
        }
        Ok(Self { spans })
    }

    /// Whether a proxy was live at any time of a bucket.
    pub(super) fn touches(&self, at: UnixMillis, step: Duration) -> bool {
        let end = at.plus(step);
        let first = self.spans.partition_point(|(_, to)| *to <= at.0);
        self.spans.get(first).is_some_and(|(from, _)| *from < end.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_live_when_any_span_reaches_into_it() {
        let live = Live {
            spans: vec![(0, 60_000), (120_000, 180_000)],
        };
        let touches = |at: i64| live.touches(UnixMillis(at), Duration::from_secs(30));
        assert!(touches(0) && touches(59_999) && touches(120_000), "inside");
        assert!(touches(90_001), "its end reaches into the second span");
        assert!(!touches(60_000) && !touches(90_000), "the minute without a proxy");
        assert!(!touches(180_000), "after the last");
    }
}
