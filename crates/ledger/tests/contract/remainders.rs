//! Requests whose rows were given up are in every sum, exactly as if their rows were there.

use std::time::Duration;

use ledger::{Dimension, Keep, Metric, Query, Reader, Remainder};
use proptest::prelude::*;
use record::{MetricRecord, UnixMillis};

use crate::support::{NOON, Place, block_on, plain, pulse, records};

const HOUR_MS: i64 = 3_600_000;

/// Whole days, which sums answer alone.
fn days() -> Query {
    Query::window(
        UnixMillis(NOON.0 - NOON.0 % (24 * HOUR_MS)),
        UnixMillis(NOON.0 + 48 * HOUR_MS),
    )
}

/// Everything that sums tell about the window.
async fn told(reader: &Reader) -> String {
    let query = days();
    let summary = reader.summary(&query).await.unwrap();
    let mut text = format!("{summary:?}");
    for by in [
        Dimension::Model,
        Dimension::Replica,
        Dimension::Key,
        Dimension::User,
    ] {
        let mut rows = reader.breakdown(&query, by, 100).await.unwrap();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        text.push_str(&format!("\n{rows:?}"));
    }
    let step = Duration::from_hours(1);
    let series = reader
        .timeseries(&query, Metric::Requests, step, None)
        .await
        .unwrap();
    text + &format!("\n{series:?}")
}

/// Appends records as rows or as a remainder, with what came before them, and lets buckets close.
async fn filled(first: &[MetricRecord], rest: &[MetricRecord], as_rows: bool) -> Place {
    let place = Place::new();
    let mut writer = place.writer().await;
    writer.append(first, Some(&pulse(NOON))).await.unwrap();
    if as_rows {
        writer.append(rest, None).await.unwrap();
    } else {
        let mut remainder = Remainder::default();
        assert!(rest.iter().all(|record| remainder.add(record)));
        assert_eq!(remainder.requests(), u64::try_from(rest.len()).unwrap());
        writer.append_remainder(&remainder.close()).await.unwrap();
    }
    let later = UnixMillis(NOON.0 + 90 * 24 * HOUR_MS);
    for _ in 0..20 {
        writer.append(&[], Some(&pulse(later))).await.unwrap();
    }
    // Without rows, nothing but sums can answer.
    while writer.prune(&Keep::default(), later).await.unwrap().more {}
    place
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn a_remainder_counts_as_rows_do(
        first in records(NOON.0..NOON.0 + 20 * HOUR_MS, 0..20),
        rest in records(NOON.0..NOON.0 + 20 * HOUR_MS, 1..30),
    ) {
        block_on(async {
            let with_rows = told(&filled(&first, &rest, true).await.reader()).await;
            let without = told(&filled(&first, &rest, false).await.reader()).await;
            assert_eq!(with_rows, without);
        });
    }
}

#[test]
fn a_remainder_that_failed_is_counted_once_and_its_size_is_bounded() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        let mut remainder = Remainder::default();
        assert!(remainder.is_empty());
        let mut added = 0;
        let mut record = plain("y", NOON);
        loop {
            record.identity.user = Some(format!("user-{added}").into());
            if !remainder.add(&record) {
                break;
            }
            added += 1;
        }
        assert!((5_000..20_000).contains(&added), "bounded: {added}");
        let remainder = remainder.close();
        writer.limit_pages(40).await.unwrap();
        writer.append_remainder(&remainder).await.unwrap_err();
        writer.limit_pages(1_000_000).await.unwrap();
        writer.append_remainder(&remainder).await.unwrap();
        let counted = place.reader().summary(&days()).await.unwrap().requests;
        assert_eq!(counted, added + 1);
    });
}
