//! Cells add up exactly, in any order and through any number of stages, and their stored form is canonical.

use proptest::option;
use proptest::prelude::*;

use super::*;

fn samples(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(sample(), len)
}

fn sample() -> impl Strategy<Value = Sample> {
    let tokens = || option::of(0_u64..1_000_000);
    let span = || option::of(0_i64..4_000_000_000);
    let head = (
        0_i64..1 << 41,
        option::of(any::<bool>()),
        prop::sample::select(Outcome::ALL),
        any::<bool>(),
    );
    let counts = (tokens(), tokens(), tokens(), tokens());
    let times = (
        span(),
        span(),
        span(),
        span(),
        span(),
        0_i64..4_000_000_000,
        0_i64..1_000_000,
    );
    let gaps = prop::collection::vec(1_u64..100_000_000, 0..9);
    (head, counts, times, gaps, option::of(any::<bool>())).prop_map(|(head, counts, times, gaps, good)| {
        let mut sketch = record::Sketch::default();
        for us in gaps {
            sketch.add(std::time::Duration::from_micros(us));
        }
        Sample {
            started_at: UnixMillis(head.0),
            stream: head.1,
            outcome: head.2,
            exact: head.3,
            prompt: counts.0,
            completion: counts.1,
            cached: counts.2,
            reasoning: counts.3,
            ttft_us: times.0,
            gaps: match (times.1, times.2) {
                (Some(mean), Some(max)) => {
                    Spread::of_gaps(&sketch.encode(), unsigned_us(mean), unsigned_us(max))
                }
                _ => None,
            },
            tpot_us: times.3,
            e2e_us: times.5,
            queue_us: times.4,
            overhead_us: times.6,
            good,
        }
    })
}

/// The begin of the bucket; sums do not depend on it.
const BASE: UnixMillis = UnixMillis(1_795_392_000_000);

fn encoded(cell: &Cell) -> Vec<u8> {
    let mut bytes = Vec::new();
    cell.encode(BASE, &mut bytes);
    bytes
}

fn cell_of(samples: &[Sample]) -> Cell {
    let mut cell = Cell::default();
    for sample in samples {
        cell.add(sample);
    }
    cell
}

/// One stage of a rollup: every `width` cells are stored, read and merged.
fn rolled_up(cells: &[Cell], width: usize) -> Vec<Cell> {
    let merge = |group: &[Cell]| {
        let mut sum = Cell::default();
        for cell in group {
            sum.merge(&Cell::decode(BASE, &encoded(cell)).unwrap());
        }
        sum
    };
    cells.chunks(width).map(merge).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_rollup_of_rollups_equals_the_direct_one_byte_for_byte(
        samples in samples(0..80),
        widths in prop::collection::vec(1_usize..7, 3),
    ) {
        let direct = cell_of(&samples);
        let mut cells: Vec<Cell> = samples.chunks(3).map(cell_of).collect();
        for width in widths {
            cells = rolled_up(&cells, width);
        }
        cells.reverse();
        let top = rolled_up(&cells, usize::MAX).pop().unwrap_or_default();
        prop_assert_eq!(encoded(&top), encoded(&direct));
        let (from, to) = (UnixMillis(0), UnixMillis(1));
        prop_assert_eq!(top.summary(from, to), direct.summary(from, to));
    }

    #[test]
    fn foreign_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let _ = Cell::decode(BASE, &bytes);
        let whole = encoded(&cell_of(&[]));
        prop_assert_eq!(Cell::decode(BASE, &whole[..cut.index(whole.len())]), None, "a cut cell is none");
    }
}

#[test]
fn a_cell_of_nothing_knows_nothing() {
    let summary = Cell::default().summary(UnixMillis(0), UnixMillis(9));
    assert_eq!(summary.tokens.prompt, None, "unknown, not zero");
    assert_eq!((summary.first_at, summary.ttft.p50), (None, None));
    assert_eq!(
        Cell::decode(BASE, &encoded(&Cell::default())),
        Some(Cell::default())
    );
}
