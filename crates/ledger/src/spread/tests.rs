//! The promises of a spread: 1 % error against exact percentiles, and merging that is plain addition.

use proptest::prelude::*;

use super::*;

/// The exact percentile by nearest rank.
fn exact(sorted: &[u64], permille: u64) -> u64 {
    let count = u64::try_from(sorted.len()).unwrap();
    let rank = (count * permille).div_ceil(1_000).max(1);
    sorted[usize::try_from(rank - 1).unwrap()]
}

fn spread_of(values: &[u64]) -> Spread {
    let mut spread = Spread::default();
    for value in values {
        spread.add(*value);
    }
    spread
}

fn encoded(spread: &Spread) -> Vec<u8> {
    let mut bytes = Vec::new();
    spread.encode(&mut bytes);
    bytes
}

/// A microsecond is added to the 1 %: values are whole microseconds, and all up to one share a bucket.
fn assert_close(values: &mut [u64], what: &str) {
    let spread = spread_of(values);
    values.sort_unstable();
    for permille in [1, 100, 500, 900, 950, 990, 999, 1_000] {
        let want = count_f64(exact(values, permille));
        let got = count_f64(spread.quantile_us(permille).unwrap());
        let error = (got - want).abs();
        assert!(
            error <= want * ALPHA * 1.000_001 + 1.0,
            "{what}: p{permille}/1000 is {got}, exact {want}"
        );
    }
}

/// A repeatable sequence of numbers in [0, 1).
fn uniform(count: usize) -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        count_f64(state >> 11) / count_f64(1 << 53)
    })
    .take(count)
}

fn rounded(value: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(value / 1e6).as_micros()).unwrap()
}

#[test]
fn percentiles_of_log_normal_bimodal_and_constant_values_are_within_one_percent() {
    let normal: Vec<f64> = uniform(24_000)
        .collect::<Vec<_>>()
        .chunks(12)
        .map(|twelve| twelve.iter().sum::<f64>() - 6.0)
        .collect();
    let mut log_normal: Vec<u64> = normal.iter().map(|z| rounded((11.0 + z).exp())).collect();
    assert_close(&mut log_normal, "log-normal");
    let mut bimodal: Vec<u64> = uniform(5_000)
        .map(|u| {
            if u < 0.9 {
                rounded(80_000.0 + u * 9_000.0)
            } else {
                rounded(u * 9e6)
            }
        })
        .collect();
    assert_close(&mut bimodal, "bimodal");
    assert_close(&mut [1_234_567; 500], "constant");
    assert_close(&mut [0, 0, 1, 2, 3], "tiny");
}

#[test]
fn nothing_has_no_figures() {
    let empty = Spread::default();
    assert_eq!(empty.quantile_us(500), None);
    assert_eq!(empty.distribution(), Distribution::default());
    assert_eq!(encoded(&empty), [0], "an empty spread costs one byte");
}

#[test]
fn the_gaps_of_a_record_are_added_bucket_by_bucket() {
    let mut gaps = record::Sketch::default();
    let mut direct = Spread::default();
    for us in (1..=200).map(|step| step * 137) {
        gaps.add(Duration::from_micros(us));
        direct.add(us);
    }
    let added = Spread::of_gaps(&gaps.encode(), 200 * 201 / 2 * 137 / 200, 200 * 137).unwrap();
    assert_eq!(added.buckets, direct.buckets, "both have the same buckets");
    assert_eq!(added.distribution().count, 200);
    assert_eq!(added.distribution().p99, direct.distribution().p99);
    assert_eq!(added.distribution().max, direct.distribution().max);
    assert_eq!(Spread::of_gaps(&[], 1, 1), None, "no gaps are no spread");
    assert_eq!(Spread::of_gaps(&[0x80], 1, 1), None, "a cut sketch is none");
}

proptest! {
    #[test]
    fn every_value_has_a_bucket_within_one_percent(us in 0_u64..=u64::MAX) {
        let spread = spread_of(&[us]);
        let stands_for = count_f64(value_of(bucket_of(us)));
        prop_assert!((stands_for - count_f64(us)).abs() <= count_f64(us) * ALPHA * 1.000_001 + 1.0);
        prop_assert_eq!(spread.quantile_us(500), Some(us), "one value is its own median");
    }

    #[test]
    fn merging_is_addition_in_any_order(
        a in prop::collection::vec(0_u64..10_000_000_000, 0..60),
        b in prop::collection::vec(0_u64..10_000_000, 0..60),
        c in prop::collection::vec(0_u64..1_000, 0..60),
    ) {
        let direct = encoded(&spread_of(&[a.clone(), b.clone(), c.clone()].concat()));
        let (a, b, c) = (spread_of(&a), spread_of(&b), spread_of(&c));
        let mut left = a.clone();
        left.merge(&b);
        left.merge(&c);
        let mut right = c;
        right.merge(&b);
        right.merge(&a);
        prop_assert_eq!(&encoded(&left), &direct);
        prop_assert_eq!(&encoded(&right), &direct);
        prop_assert_eq!(Spread::decode(&mut direct.as_slice()), Some(left));
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Spread::decode(&mut bytes.as_slice());
    }
}
