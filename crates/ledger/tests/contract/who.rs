//! Who asked: keys, users and tags, from cells and from rows, and strings that would fill the ledger.

use std::time::Duration;

use ledger::{BreakdownRow, By, Dimension, Distribution, Filter, Metric, Query};
use record::{MetricRecord, Name, Outcome, Tag, UnixMillis};

use crate::support::{NOON, Place, block_on, plain, pulse};

const HOUR: Duration = Duration::from_hours(1);

/// A request a minute for a day, half of it by the team `search`, a third of it in production.
fn tagged() -> Vec<MetricRecord> {
    let tag = |name: &str, value: &str| Tag {
        name: name.into(),
        value: value.into(),
    };
    (0..24 * 60)
        .map(|n: u64| {
            let mut record = plain(&format!("r-{n}"), NOON.plus(Duration::from_secs(n * 60)));
            record.model = Some(if n.is_multiple_of(5) { "qwen" } else { "llama" }.into());
            let team = if n.is_multiple_of(2) { "search" } else { "chat" };
            record.identity.tags.push(tag("team", team));
            if n.is_multiple_of(3) {
                record.identity.tags.push(tag("env", "prod"));
            }
            record
        })
        .collect()
}

fn filter(tags: &[(&str, &str)]) -> Filter {
    let mut filter = Filter::default();
    for (name, value) in tags {
        filter
            .tags
            .entry((*name).into())
            .or_default()
            .push((*value).into());
    }
    filter
}

fn counts(rows: &[BreakdownRow]) -> Vec<(Option<&str>, u64)> {
    rows.iter()
        .map(|row| (row.key.as_deref(), row.summary.requests))
        .collect()
}

#[test]
fn tags_are_filtered_and_grouped_by() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        for batch in tagged().chunks(200) {
            writer.append(batch, None).await.unwrap();
        }
        let reader = place.reader();
        let query = |tags: &[(&str, &str)]| Query {
            filter: filter(tags),
            ..Query::window(NOON, NOON.plus(24 * HOUR))
        };
        let by = |name: &str| By::Tag(name.into());
        let teams = reader.breakdown(&query(&[]), by("team"), 9).await.unwrap();
        assert_eq!(counts(&teams), [(Some("chat"), 720), (Some("search"), 720)]);
        let production = reader.breakdown(&query(&[]), by("env"), 9).await.unwrap();
        assert_eq!(
            counts(&production),
            [(Some("prod"), 480)],
            "requests without the tag are in no row"
        );
        let both = query(&[("team", "search"), ("env", "prod")]);
        assert_eq!(reader.summary(&both).await.unwrap().requests, 240);
        let models = reader
            .breakdown(&query(&[("team", "chat")]), Dimension::Model, 9)
            .await
            .unwrap();
        assert_eq!(counts(&models), [(Some("llama"), 576), (Some("qwen"), 144)]);
        assert_eq!(
            reader
                .summary(&query(&[("team", "nobody")]))
                .await
                .unwrap()
                .requests,
            0
        );
        let series = reader
            .timeseries(&query(&[]), Metric::Requests, 6 * HOUR, Some(by("team")))
            .await
            .unwrap();
        let sums: Vec<f64> = series
            .series
            .iter()
            .map(|line| line.points.iter().filter_map(|(_, value)| *value).sum())
            .collect();
        assert_eq!(sums, [720.0, 720.0]);
    });
}

#[test]
fn many_requests_of_who_asked_are_counted_from_cells_and_few_are_measured_from_rows() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let many: Vec<MetricRecord> = (0..12_000)
            .map(|n| {
                let mut record = plain(&format!("r-{n}"), NOON.plus(Duration::from_millis(n * 200)));
                record.identity.user = Some(format!("user-{}", n % 7).into());
                record.identity.key = Some(format!("key-{}", n % 2).into());
                record.identity.tags.push(Tag {
                    name: "team".into(),
                    value: format!("team-{}", n % 3).into(),
                });
                record
            })
            .collect();
        for batch in many.chunks(4_000) {
            writer.append(batch, None).await.unwrap();
        }
        writer
            .append(&[], Some(&pulse(NOON.plus(2 * HOUR))))
            .await
            .unwrap();
        let reader = place.reader();
        let (whole, part) = (
            Query::window(NOON, NOON.plus(HOUR)),
            Query::window(NOON, NOON.plus(Duration::from_secs(1_000))),
        );
        for by in [
            By::from(Dimension::User),
            By::from(Dimension::Key),
            By::Tag("team".into()),
        ] {
            let rows = reader.breakdown(&whole, by.clone(), 99).await.unwrap();
            assert_eq!(
                rows.iter().map(|row| row.summary.requests).sum::<u64>(),
                12_000,
                "{by}"
            );
            assert!(
                rows.iter().all(|row| row.summary.ttft == Distribution::default()),
                "cells of who asked have counts alone: {by}"
            );
            let rows = reader.breakdown(&part, by.clone(), 99).await.unwrap();
            assert_eq!(
                rows.iter().map(|row| row.summary.requests).sum::<u64>(),
                5_000,
                "{by}"
            );
            assert!(
                rows.iter()
                    .all(|row| row.summary.ttft.count == row.summary.requests),
                "rows tell everything: {by}"
            );
            let step = Duration::from_mins(10);
            let metric = Metric::TtftP95;
            let series = reader
                .timeseries(&whole, metric, step, Some(by.clone()))
                .await
                .unwrap();
            assert!(
                series.series.iter().all(|line| line.points[0].1.is_some()),
                "a percentile by who asked comes from rows: {by}"
            );
        }
    });
}

#[test]
fn strings_beyond_the_bound_of_their_kind_are_counted_as_other() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        for batch in 0..3 {
            let flood: Vec<MetricRecord> = (0..1_000)
                .map(|n| {
                    let mut record = plain(&format!("r-{batch}-{n}"), NOON);
                    record.model = None;
                    record.model_requested = Some(format!("made-up-{batch}-{n}").into());
                    record.outcome = Outcome::ClientError;
                    record
                })
                .collect();
            writer.append(&flood, None).await.unwrap();
        }
        let known = plain("known", UnixMillis(NOON.0 + 1));
        writer.append(&[known], None).await.unwrap();
        let rows = place
            .reader()
            .breakdown(&Query::window(NOON, NOON.plus(HOUR)), Dimension::Model, 5_000)
            .await
            .unwrap();
        assert_eq!(rows.len(), 2_001, "2,000 models, and one for all others");
        assert_eq!(
            counts(&rows)[0],
            (Some("other"), 1_001),
            "also one that came too late"
        );
        let other: Name = "other".into();
        let page = place
            .reader()
            .requests(&Query::window(NOON, NOON.plus(HOUR)), &ledger::Page::default())
            .await
            .unwrap();
        assert_eq!(page.records[0].model, Some(other));
    });
}
