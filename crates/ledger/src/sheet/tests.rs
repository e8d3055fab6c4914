//! Sheets read back as they were written, and any way of merging them gives the same bytes.

use std::time::Duration;

use proptest::prelude::*;
use record::Outcome;

use super::*;

fn sample(at: u64) -> Sample {
    Sample {
        started_at: UnixMillis(1_795_392_000_000).plus(Duration::from_millis(at % 60_000)),
        stream: Some(!at.is_multiple_of(5)),
        outcome: if at.is_multiple_of(7) {
            Outcome::UpstreamError
        } else {
            Outcome::Success
        },
        exact: true,
        prompt: Some(at % 1_000),
        completion: (!at.is_multiple_of(3)).then_some(at % 400),
        cached: None,
        reasoning: None,
        ttft_us: Some(i64::try_from(at % 1_000_000).unwrap()),
        tpot_us: None,
        e2e_us: 12_345,
        queue_us: Some(0),
        overhead_us: 77,
        gaps: None,
        good: Some(at.is_multiple_of(2)),
    }
}

fn cells(bucket: Bucket, numbers: &[u64]) -> Cells {
    let mut cells = Cells::new(bucket.cube);
    for number in numbers {
        let id = |modulo: u64| i64::try_from(number % modulo).unwrap();
        let all = Axes {
            name: id(900),
            model: id(5),
            pool: id(2),
            replica: id(3),
            endpoint: id(4),
        };
        let axes = match bucket.cube {
            Cube::Route => Axes { name: 0, ..all },
            Cube::Model => Axes {
                model: all.model,
                ..Axes::default()
            },
            Cube::Key | Cube::User | Cube::Tag => Axes {
                name: all.name,
                model: all.model,
                ..Axes::default()
            },
        };
        cells.add(axes, &sample(*number));
    }
    cells
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merged_sheets_equal_the_direct_one_byte_for_byte(
        numbers in prop::collection::vec(any::<u32>().prop_map(u64::from), 0..200),
        width in 1_usize..50,
    ) {
        for cube in Cube::ALL {
            let bucket = Bucket::of(cube, 600, 1_795_392_000);
            let direct = cells(bucket, &numbers).sheet(bucket);
            let mut merged = Cells::new(cube);
            for part in numbers.chunks(width) {
                merged.merge(bucket, &cells(bucket, part).sheet(bucket).bytes).unwrap();
            }
            prop_assert_eq!(&merged.sheet(bucket), &direct);
            prop_assert_eq!(direct.requests, u64::try_from(numbers.len()).unwrap());
        }
    }

    #[test]
    fn foreign_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        for cube in Cube::ALL {
            let bucket = Bucket::of(cube, 60, 1_795_392_000);
            let _ = Cells::new(cube).merge(bucket, &bytes);
            let whole = cells(bucket, &[1, 2, 3]).sheet(bucket).bytes;
            let _ = Cells::new(cube).merge(bucket, &whole[..cut.index(whole.len())]);
        }
    }
}

#[test]
fn a_users_few_requests_take_about_twenty_bytes() {
    let bucket = Bucket::of(Cube::User, 86_400, 1_795_392_000);
    let numbers: Vec<u64> = (0..4_500).map(|number| number * 2).collect();
    let sheet = cells(bucket, &numbers).sheet(bucket);
    let each = sheet.bytes.len() / 450;
    assert!(each < 60, "{each} bytes for ten requests of mixed outcomes");
}
