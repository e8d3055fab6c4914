//! Summaries, series, breakdowns and facets against sums made by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{Dimension, Metric, Query};
use record::{MetricRecord, Outcome, Tokens, UnixMillis, UsageSource};

use crate::support::{NOON, Place, block_on, plain, pulse};

fn after(seconds: u64) -> UnixMillis {
    NOON.plus(Duration::from_secs(seconds))
}

/// Ten minutes of traffic, one request every second, with every tenth failing.
fn traffic() -> Vec<MetricRecord> {
    (0..600)
        .map(|n| {
            let mut record = plain(&format!("r-{n}"), after(n));
            record.model = Some(if n % 3 == 0 { "small" } else { "large" }.into());
            record.times.ttft = Some(Duration::from_millis(10 * (n + 1)));
            if n % 10 == 9 {
                record.outcome = Outcome::UpstreamError;
                record.times.ttft = None;
                record.usage.source = UsageSource::None;
                record.usage.prompt = None;
                record.usage.completion = None;
                record.good = Some(false);
            }
            record
        })
        .collect()
}

async fn filled() -> Place {
    let place = Place::new();
    let mut writer = place.writer().await;
    for batch in traffic().chunks(77) {
        writer.append(batch, None).await.unwrap();
    }
    place
}

fn close(got: Option<Duration>, want: Duration) -> bool {
    got.is_some_and(|got| got.abs_diff(want) <= want.mul_f64(0.0101))
}

#[test]
fn a_summary_adds_up() {
    block_on(async {
        let place = filled().await;
        let summary = place
            .reader()
            .summary(&Query::window(NOON, after(600)))
            .await
            .unwrap();
        assert_eq!(
            (summary.requests, summary.streams, summary.failures),
            (600, 600, 60)
        );
        assert_eq!(
            summary.outcomes,
            [(Outcome::Success, 540), (Outcome::UpstreamError, 60)]
        );
        assert_eq!(summary.tokens.prompt, Some(540_000));
        assert_eq!(
            summary.tokens.cached, None,
            "nobody reported cached tokens: unknown, not zero"
        );
        assert_eq!(summary.tokens.reported_requests, 540);
        assert_eq!((summary.goodput.good, summary.goodput.eligible), (540, 600));
        assert_eq!(
            (summary.first_at, summary.last_at),
            (Some(NOON), Some(after(601)))
        );
        let ttft = summary.ttft;
        assert_eq!((ttft.count, ttft.max), (540, Some(Duration::from_millis(5_990))));
        let mut exact: Vec<Duration> = traffic().iter().filter_map(|record| record.times.ttft).collect();
        exact.sort();
        assert!(
            close(ttft.p50, exact[269]),
            "{:?} against {:?}",
            ttft.p50,
            exact[269]
        );
        assert!(
            close(ttft.p99, exact[534]),
            "{:?} against {:?}",
            ttft.p99,
            exact[534]
        );
        let mean = exact.iter().sum::<Duration>() / 540;
        assert_eq!(
            ttft.mean.map(|span| span.as_micros()),
            Some(mean.as_micros()),
            "the mean is exact"
        );
        assert_eq!(
            summary.itl,
            ledger::Distribution::default(),
            "no gaps, no figures"
        );
    });
}

#[test]
fn a_window_takes_its_begin_and_not_its_end() {
    block_on(async {
        let place = filled().await;
        let reader = place.reader();
        for (from, to, want) in [
            (0, 1, 1),
            (10, 20, 10),
            (599, 9_000, 1),
            (600, 700, 0),
            (20, 20, 0),
            (30, 20, 0),
        ] {
            let summary = reader
                .summary(&Query::window(after(from), after(to)))
                .await
                .unwrap();
            assert_eq!(summary.requests, want, "[{from}, {to})");
        }
    });
}

#[test]
fn a_series_has_every_bucket_and_gaps_where_nothing_is_known() {
    block_on(async {
        let place = filled().await;
        let mut writer = place.writer().await;
        writer.append(&[], Some(&pulse(after(660)))).await.unwrap();
        let reader = place.reader();
        let query = Query::window(after(30), after(720));
        let step = Duration::from_mins(1);
        let counts = reader
            .timeseries(&query, Metric::Requests, step, None)
            .await
            .unwrap();
        let [line] = counts.series.as_slice() else {
            panic!("one series: {counts:?}")
        };
        let moments: Vec<UnixMillis> = line.points.iter().map(|(at, _)| *at).collect();
        assert_eq!(
            moments,
            (0..12).map(|minute| after(60 * minute)).collect::<Vec<_>>()
        );
        let values: Vec<f64> = line.points[..10]
            .iter()
            .map(|(_, value)| value.unwrap())
            .collect();
        assert_eq!(values, [30., 60., 60., 60., 60., 60., 60., 60., 60., 60.]);
        assert_eq!(
            (line.points[10].1, line.points[11].1),
            (None, Some(0.0)),
            "no proxy was there, and one that had nothing to do"
        );
        let ttft = reader
            .timeseries(&query, Metric::TtftP95, step, None)
            .await
            .unwrap();
        let known: Vec<bool> = ttft.series[0]
            .points
            .iter()
            .map(|(_, value)| value.is_some())
            .collect();
        assert_eq!(
            known,
            [vec![true; 10], vec![false; 2]].concat(),
            "no request, no percentile"
        );
        let rates = reader
            .timeseries(&query, Metric::RequestsPerSecond, step, None)
            .await
            .unwrap();
        assert_eq!(
            rates.series[0].points[0].1,
            Some(1.0),
            "half a bucket counts half its seconds"
        );
        let failures = reader
            .timeseries(&query, Metric::ErrorRate, step, None)
            .await
            .unwrap();
        assert_eq!(failures.series[0].points[3].1, Some(0.1));
    });
}

#[test]
fn series_by_model_add_up_to_the_whole() {
    block_on(async {
        let place = filled().await;
        let query = Query::window(NOON, after(600));
        let step = Duration::from_mins(2);
        let reader = place.reader();
        let split = reader
            .timeseries(&query, Metric::Requests, step, Some(Dimension::Model.into()))
            .await
            .unwrap();
        let labels: Vec<_> = split
            .series
            .iter()
            .map(|line| line.label.clone().unwrap().1.unwrap())
            .collect();
        assert_eq!(
            labels.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["large", "small"],
            "busiest first"
        );
        for place in 0..5 {
            let sum: f64 = split.series.iter().filter_map(|line| line.points[place].1).sum();
            assert_eq!(sum, 120.0);
        }
    });
}

#[test]
fn a_step_that_makes_too_many_points_is_refused() {
    block_on(async {
        let place = Place::new();
        let reader = place.reader();
        let query = Query::window(NOON, after(86_400));
        for step in [
            Duration::from_secs(10),
            Duration::ZERO,
            Duration::from_millis(1_500),
        ] {
            let refusal = reader
                .timeseries(&query, Metric::Requests, step, None)
                .await
                .unwrap_err();
            assert!(refusal.is_callers(), "{step:?}: {refusal}");
        }
        let answer = reader
            .timeseries(&query, Metric::Requests, Duration::from_mins(1), None)
            .await
            .unwrap();
        assert!(answer.series.is_empty(), "there is no ledger yet");
    });
}

#[test]
fn every_breakdown_adds_up_to_the_whole() {
    block_on(async {
        let place = filled().await;
        let reader = place.reader();
        let query = Query::window(NOON, after(600));
        let whole = reader.summary(&query).await.unwrap();
        for by in Dimension::ALL {
            let rows = reader.breakdown(&query, *by, 100).await.unwrap();
            let requests: u64 = rows.iter().map(|row| row.summary.requests).sum();
            let ttft: u64 = rows.iter().map(|row| row.summary.ttft.count).sum();
            assert_eq!((requests, ttft), (whole.requests, whole.ttft.count), "by {by}");
        }
        let rows = reader.breakdown(&query, Dimension::Outcome, 100).await.unwrap();
        let counts: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row.key.clone().unwrap().to_string(), row.summary.requests))
            .collect();
        assert_eq!(
            counts,
            BTreeMap::from([("success".to_owned(), 540), ("upstream_error".to_owned(), 60)])
        );
        let one = reader.breakdown(&query, Dimension::Model, 1).await.unwrap();
        assert_eq!(one.len(), 1, "limited");
        assert_eq!(one[0].key.as_deref(), Some("large"), "the busiest stays");
        let users = reader.breakdown(&query, Dimension::User, 10).await.unwrap();
        assert_eq!(users[0].key, None, "requests without a user are a group too");
    });
}

#[test]
fn gaps_and_estimates_are_told_apart() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let mut stream = plain("gaps", NOON);
        for ms in [10, 10, 10, 70] {
            stream.gaps.add(Duration::from_millis(ms));
        }
        stream.times.itl_mean = Some(Duration::from_millis(25));
        stream.times.itl_max = Some(Duration::from_millis(70));
        stream.times.itl_count = 4;
        let mut guess = plain("guess", NOON);
        guess.usage.source = UsageSource::Estimated;
        guess.usage.completion = None;
        guess.usage.completion_estimated = Some(Tokens(999));
        writer.append(&[stream, guess], None).await.unwrap();
        let summary = place
            .reader()
            .summary(&Query::window(NOON, after(1)))
            .await
            .unwrap();
        assert_eq!(summary.itl.count, 4, "every gap is one value");
        assert_eq!(summary.itl.mean, Some(Duration::from_millis(25)));
        assert!(
            close(summary.itl.p50, Duration::from_millis(10)),
            "{:?}",
            summary.itl.p50
        );
        assert_eq!(summary.itl.max, Some(Duration::from_millis(70)));
        assert_eq!(
            summary.tokens.completion,
            Some(50),
            "an estimate does not enter an exact sum"
        );
        assert_eq!(summary.tokens.reported_requests, 1);
    });
}

#[test]
fn facets_list_what_is_there() {
    block_on(async {
        let place = filled().await;
        let facets = place
            .reader()
            .facets(&Query::window(NOON, after(600)))
            .await
            .unwrap();
        assert_eq!(
            facets.model.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["large", "small"]
        );
        assert_eq!(
            facets.endpoint.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["chat"]
        );
        assert_eq!(
            facets.outcome.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["success", "upstream_error"]
        );
        assert!(facets.user.is_empty(), "nobody named a user");
        let none = place
            .reader()
            .facets(&Query::window(after(700), after(800)))
            .await
            .unwrap();
        assert_eq!(none, ledger::Facets::default());
    });
}
