//! Cells answer exactly what the rows would: for every window, filter and grouping, after any order of
//! batches.

use std::time::Duration;

use ledger::{BreakdownRow, Dimension, Distribution, Filter, Metric, Query, Reader, Summary, Writer};
use proptest::prelude::*;
use record::{MetricRecord, Outcome, UnixMillis};

use crate::support::{NOON, Place, block_on, plain, pulse, records};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Every outcome as a filter lets everything pass, but only rows tell outcomes apart.
fn from_rows(filter: &Filter) -> Filter {
    Filter {
        outcome: Outcome::ALL.to_vec(),
        ..filter.clone()
    }
}

/// Lets time pass, so that buckets are closed: each batch closes one of each tier.
async fn wait_until(writer: &mut Writer, at: UnixMillis, batches: usize) {
    for _ in 0..batches {
        writer.append(&[], Some(&pulse(at))).await.unwrap();
    }
}

/// Whether only cells without distributions tell apart what is filtered by.
fn asks_who(filter: &Filter) -> bool {
    !(filter.key.is_empty() && filter.user.is_empty() && filter.tags.is_empty())
}

/// A summary without its distributions, when those are not compared.
fn counts_of(summary: Summary, counts_only: bool) -> Summary {
    if !counts_only {
        return summary;
    }
    Summary {
        ttft: Distribution::default(),
        itl: Distribution::default(),
        tpot: Distribution::default(),
        e2e: Distribution::default(),
        queue: Distribution::default(),
        overhead: Distribution::default(),
        ..summary
    }
}

fn comparable(row: BreakdownRow, counts_only: bool) -> BreakdownRow {
    BreakdownRow {
        key: row.key,
        summary: counts_of(row.summary, counts_only),
    }
}

/// Compares the answers from cells with those from rows.
async fn assert_equal(reader: &Reader, from: UnixMillis, to: UnixMillis, filter: &Filter) -> Summary {
    let cells = Query {
        from,
        to,
        filter: filter.clone(),
    };
    let rows = Query {
        from,
        to,
        filter: from_rows(filter),
    };
    let summary = reader.summary(&cells).await.unwrap();
    assert_eq!(
        counts_of(summary.clone(), asks_who(filter)),
        counts_of(reader.summary(&rows).await.unwrap(), asks_who(filter)),
        "summary of {cells:?}"
    );
    for by in [
        Dimension::Model,
        Dimension::Pool,
        Dimension::Replica,
        Dimension::Endpoint,
        Dimension::Key,
        Dimension::User,
    ] {
        let counts_only = matches!(by, Dimension::Key | Dimension::User) || asks_who(filter);
        let groups = reader.breakdown(&cells, by, usize::MAX).await.unwrap();
        let rows = reader.breakdown(&rows, by, usize::MAX).await.unwrap();
        assert_eq!(
            groups
                .into_iter()
                .map(|row| comparable(row, counts_only))
                .collect::<Vec<_>>(),
            rows.into_iter()
                .map(|row| comparable(row, counts_only))
                .collect::<Vec<_>>(),
            "by {by} of {cells:?}"
        );
    }
    let width = u64::try_from((to.0 - from.0) / 1_000).unwrap();
    for step in [60, 600, 900, 3_600, 86_400]
        .into_iter()
        .filter(|step| width / step < 1_000)
    {
        for (metric, by) in [
            (Metric::Requests, None),
            (Metric::E2eP95, Some(Dimension::Model.into())),
        ] {
            let step = Duration::from_secs(step);
            let series = reader.timeseries(&cells, metric, step, by.clone()).await.unwrap();
            assert_eq!(
                series,
                reader.timeseries(&rows, metric, step, by).await.unwrap(),
                "{metric} each {step:?}"
            );
        }
    }
    summary
}

/// Every tier's cells hold exactly the requests that began in its span.
async fn assert_sums(place: &Place) {
    let tiers = place
        .numbers(
            "SELECT seconds, cube, sum(requests), \
             (SELECT count(*) FROM request WHERE (id >> 21) / 1000 < coalesce( \
                 (SELECT min(folded_until_s) FROM tier WHERE tier.seconds = sheet.seconds \
                  AND tier.cube = sheet.cube AND folded_until_s > 0), 9000000000000000)) \
             FROM sheet WHERE cube <> 4 GROUP BY seconds, cube HAVING sum(requests) > 0",
        )
        .await;
    let requests = place.numbers("SELECT count(*) FROM request").await[0][0];
    assert_eq!(tiers.is_empty(), requests == 0, "cells are there if requests are");
    for tier in tiers {
        let [seconds, cube, cells, rows] = tier[..] else {
            panic!("four columns")
        };
        assert_eq!(cells, rows, "tier {seconds} of cube {cube}");
    }
}

/// Requests in the cells of thirty days.
async fn coarsest(place: &Place) -> i64 {
    place
        .numbers("SELECT coalesce(sum(requests), 0) FROM sheet WHERE seconds = 2592000 AND cube = 0")
        .await[0][0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn cells_and_rows_tell_the_same(
        // Two days in which batches come in any order, so that many records are late.
        batches in prop::collection::vec(records(NOON.0..NOON.0 + 2 * DAY_MS, 0..25), 1..5),
        edges in prop::array::uniform2(-HOUR_MS..2 * DAY_MS + HOUR_MS),
        whole_minutes in any::<bool>(),
        models in prop::sample::subsequence(vec!["llama", "qwen", "nobody"], 0..3),
        users in prop::sample::subsequence(vec!["", "a", "b", "c"], 0..2),
    ) {
        block_on(async {
            let place = Place::new();
            let mut writer = place.writer().await;
            for batch in &batches {
                writer.append(batch, None).await.unwrap();
                wait_until(&mut writer, UnixMillis(NOON.0 + DAY_MS), 3).await;
            }
            wait_until(&mut writer, UnixMillis(NOON.0 + 4 * DAY_MS), 2).await;
            assert_sums(&place).await;
            let grain = if whole_minutes { 60_000 } else { 1 };
            let [a, b] = edges.map(|edge| NOON.0 + edge / grain * grain);
            let (from, to) = (UnixMillis(a.min(b)), UnixMillis(a.max(b)));
            let reader = place.reader();
            let filter = Filter {
                model: models.iter().map(|name| (*name).into()).collect(),
                user: users.iter().map(|name| (*name).into()).collect(),
                ..Filter::default()
            };
            assert_equal(&reader, from, to, &Filter::default()).await;
            assert_equal(&reader, from, to, &filter).await;
        });
    }
}

/// One request an hour for three months.
fn season() -> Vec<MetricRecord> {
    (0..90 * 24)
        .map(|hour| {
            let mut record = plain(&format!("r-{hour}"), UnixMillis(NOON.0 + hour * HOUR_MS + 1_234));
            record.times.e2e = Duration::from_millis(u64::try_from(hour).unwrap() * 7 + 1);
            record.identity.key = Some(if hour % 2 == 0 { "even" } else { "odd" }.into());
            record
        })
        .collect()
}

#[test]
fn three_months_are_folded_up_to_the_coarsest_tier_and_late_records_still_count() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        for day in season().chunks(24) {
            writer.append(day, None).await.unwrap();
        }
        wait_until(&mut writer, UnixMillis(NOON.0 + 100 * DAY_MS), 10).await;
        assert!(
            coarsest(&place).await > 30 * 24,
            "at least a whole bucket of thirty days is closed"
        );
        assert_sums(&place).await;
        let mut late = plain("late", UnixMillis(NOON.0 + 40 * DAY_MS));
        late.times.e2e = Duration::from_secs(3_000);
        writer.append(&[late], None).await.unwrap();
        assert_sums(&place).await;
        let reader = place.reader();
        let whole = UnixMillis(NOON.0 + 91 * DAY_MS);
        let summary = assert_equal(&reader, NOON, whole, &Filter::default()).await;
        assert_eq!(summary.requests, 90 * 24 + 1);
        assert_eq!(
            summary.e2e.max,
            Some(Duration::from_secs(3_000)),
            "the late one is in every tier"
        );
        let odd = Filter {
            key: vec!["odd".into()],
            ..Filter::default()
        };
        assert_equal(
            &reader,
            UnixMillis(NOON.0 + 7_777_777),
            UnixMillis(NOON.0 + 77 * DAY_MS + 5),
            &odd,
        )
        .await;
        let facets = reader.facets(&Query::window(NOON, whole)).await.unwrap();
        assert_eq!(facets.key.len(), 2);
    });
}

#[test]
fn a_window_up_to_now_is_exact_though_its_last_minute_is_open() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let now = UnixMillis(NOON.0 + 90_500);
        for ms in [0, 60_000, 90_000, 90_499] {
            writer
                .append(&[plain("r", UnixMillis(NOON.0 + ms))], Some(&pulse(now)))
                .await
                .unwrap();
        }
        let reader = place.reader();
        assert_eq!(
            reader.summary(&Query::window(NOON, now)).await.unwrap().requests,
            4
        );
        let before = Query::window(NOON, UnixMillis(NOON.0 + 90_499));
        assert_eq!(
            reader.summary(&before).await.unwrap().requests,
            3,
            "the end is exclusive"
        );
        assert_equal(&reader, NOON, now, &Filter::default()).await;
    });
}
