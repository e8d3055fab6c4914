//! Every moment of a window is covered once, and by the coarsest bucket that is there.

use proptest::prelude::*;

use super::*;
use crate::rollup::{Held, TIERS};

/// A month boundary of the coarsest tier, in seconds.
const ORIGIN: i64 = 2_592_000 * 690;

fn states(folded_until_s: i64, rows_kept_from_s: i64) -> TierStates {
    let mut states = TierStates::default();
    for cube in Cube::ALL {
        for seconds in TIERS {
            let folded_until_s = align_down(folded_until_s, seconds);
            states.set(
                seconds,
                cube.code(),
                Held {
                    kept_from_s: 0,
                    folded_until_s,
                },
            );
        }
    }
    states.set(
        0,
        0,
        Held {
            kept_from_s: rows_kept_from_s,
            folded_until_s: 0,
        },
    );
    states
}

fn at(second: i64) -> UnixMillis {
    UnixMillis((ORIGIN + second) * SECOND)
}

fn sources(cover: &Cover) -> Vec<Source> {
    cover.pieces.iter().map(|piece| piece.source).collect()
}

#[test]
fn a_day_at_odd_moments_is_hours_and_finer_edges() {
    let states = states(ORIGIN + 10 * 86_400, 0);
    let from = UnixMillis(at(3_661).0 + 250);
    let cover = cover(from, at(86_400 + 3_661), Some(Cube::Route), None, &states);
    assert_eq!(
        sources(&cover),
        [
            Source::Rows,
            Source::Tier(60),
            Source::Tier(600),
            Source::Tier(3_600),
            Source::Tier(21_600),
            Source::Tier(3_600),
            Source::Tier(60),
            Source::Rows
        ]
    );
    assert_eq!(
        (cover.from, cover.to),
        (from, at(86_400 + 3_661)),
        "exact to the millisecond"
    );
}

#[test]
fn what_is_not_folded_yet_comes_from_finer_tiers() {
    let states = states(ORIGIN + 7_200, 0);
    let cover = cover(at(0), at(10_800), Some(Cube::Route), None, &states);
    assert_eq!(sources(&cover), [Source::Tier(3_600), Source::Tier(60)]);
    assert_eq!(cover.pieces[0].to, at(7_200));
}

#[test]
fn a_step_keeps_out_tiers_that_would_reach_over_it() {
    let states = states(ORIGIN + 86_400, 0);
    let cover = |step| cover(at(0), at(7_200), Some(Cube::Route), Some(step), &states);
    assert_eq!(sources(&cover(900)), [Source::Tier(60)]);
    assert_eq!(sources(&cover(1_200)), [Source::Tier(600)]);
    assert_eq!(sources(&cover(30)), [Source::Rows]);
}

#[test]
fn without_a_cube_rows_are_read() {
    let cover = cover(at(0), at(7_200), None, None, &states(ORIGIN + 86_400, 0));
    assert_eq!(sources(&cover), [Source::Rows]);
}

#[test]
fn where_rows_are_gone_an_edge_moves_out_to_the_next_border_that_is_left() {
    let mut states = states(ORIGIN + 86_400, ORIGIN + 50_000);
    states.set(
        60,
        Cube::Route.code(),
        Held {
            kept_from_s: ORIGIN + 40_000,
            folded_until_s: 0,
        },
    );
    let cover = |from, to| cover(at(from), at(to), Some(Cube::Route), None, &states);
    let wide = cover(1_234, 45_001);
    assert_eq!(
        (wide.from, wide.to),
        (at(1_200), at(45_060)),
        "ten minutes at the one end, one at the other"
    );
    assert!(
        !sources(&wide).contains(&Source::Rows),
        "nothing is read from where nothing is"
    );
    let exact = cover(50_001, 60_000);
    assert_eq!((exact.from, exact.to), (at(50_001), at(60_000)));
}

#[test]
fn before_everything_that_is_kept_the_window_begins_with_what_is_kept() {
    let states = states(ORIGIN + 86_400, ORIGIN + 50_000);
    let cover = cover(at(10), at(60_000), None, None, &states);
    assert_eq!(cover.from, at(50_000), "the answer says what it covers");
}

proptest! {
    #[test]
    fn pieces_follow_each_other_without_gap_or_overlap(
        from_ms in 0_i64..40 * 86_400_000,
        length_ms in 1_i64..40 * 86_400_000,
        folded_s in 0_i64..90 * 86_400,
        step in prop::option::of(prop::sample::select(vec![1_i64, 60, 120, 600, 3_600, 86_400])),
    ) {
        let (from, to) = (UnixMillis(at(0).0 + from_ms), UnixMillis(at(0).0 + from_ms + length_ms));
        let cover = cover(from, to, Some(Cube::Route), step, &states(ORIGIN + folded_s, 0));
        prop_assert_eq!((cover.from, cover.to), (from, to));
        let mut moment = from;
        for piece in &cover.pieces {
            prop_assert_eq!(piece.from, moment, "no gap, no overlap");
            prop_assert!(piece.from < piece.to);
            if let Source::Tier(seconds) = piece.source {
                prop_assert_eq!(piece.from.0 % (seconds * SECOND), 0);
                prop_assert_eq!(piece.to.0 % (seconds * SECOND), 0);
                prop_assert!(step.is_none_or(|step| step % seconds == 0));
            } else {
                prop_assert!(piece.to.0 - piece.from.0 < 60_000 || step == Some(1), "rows only at the edges");
            }
            moment = piece.to;
        }
        prop_assert_eq!(moment, to);
    }
}
