//! Old rows go, their sums stay, and the file gets smaller.

use std::time::Duration;

use ledger::{Dimension, Filter, Keep, Metric, Page, Pruned, Query, Writer};
use record::{MetricRecord, Outcome, UnixMillis};

use crate::support::{NOON, Place, block_on, plain, pulse};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A request every twelve seconds for two days.
fn traffic() -> Vec<MetricRecord> {
    (0..2 * 86_400 / 12)
        .map(|n| {
            let mut record = plain(&format!("r-{n}"), NOON.plus(Duration::from_secs(n * 12)));
            record.identity.session = Some(format!("{n:0>200}").into());
            record
        })
        .collect()
}

pub(crate) async fn filled(place: &Place) -> Writer {
    let mut writer = place.writer().await;
    for batch in traffic().chunks(2_000) {
        writer.append(batch, None).await.unwrap();
    }
    let later = pulse(NOON.plus(2 * DAY + 2 * HOUR));
    for _ in 0..20 {
        writer.append(&[], Some(&later)).await.unwrap();
    }
    writer
}

/// Runs retention to its end.
pub(crate) async fn prune(writer: &mut Writer, keep: &Keep, now: UnixMillis) -> u64 {
    let mut rows = 0;
    for _ in 0..1_000 {
        let Pruned { rows: gone, more } = writer.prune(keep, now).await.unwrap();
        assert!(gone <= 40_000, "a step is bounded: {gone}");
        rows += gone;
        if !more {
            return rows;
        }
    }
    panic!("retention did not end after 1,000 steps");
}

#[test]
fn rows_past_their_time_go_and_their_sums_stay() {
    block_on(async {
        let place = Place::new();
        let mut writer = filled(&place).await;
        let reader = place.reader();
        let now = NOON.plus(2 * DAY);
        let whole = Query::window(NOON, now);
        let before = reader.summary(&whole).await.unwrap();
        assert_eq!(before.requests, 14_400);
        let keep = Keep {
            requests: 6 * HOUR,
            minutes: DAY,
            hours: 4 * DAY,
            ..Keep::default()
        };
        let gone = prune(&mut writer, &keep, now).await;
        let rows = if Place::ROWS_GO_BY_DAY { 0 } else { 12_600 };
        assert!(gone > rows, "42 hours of rows, and cells: {gone}");
        assert_eq!(reader.summary(&whole).await.unwrap(), before, "the sums stay");
        let page = reader
            .requests(
                &whole,
                &Page {
                    limit: 1_000,
                    cursor: None,
                },
            )
            .await
            .unwrap();
        assert_eq!(page.records.len(), 1_000);
        assert!(
            reader.request("r-0").await.unwrap().is_none(),
            "the oldest row is gone"
        );
        assert!(reader.request("r-14399").await.unwrap().is_some());
    });
}

#[test]
fn an_answer_says_which_window_it_covers() {
    block_on(async {
        let place = Place::new();
        let mut writer = filled(&place).await;
        let now = NOON.plus(2 * DAY);
        let keep = Keep {
            requests: 6 * HOUR,
            minutes: DAY,
            hours: 4 * DAY,
            ..Keep::default()
        };
        prune(&mut writer, &keep, now).await;
        let reader = place.reader();
        let from = NOON.plus(Duration::from_secs(1_801));
        let odd = Query::window(from, now);
        let summary = reader.summary(&odd).await.unwrap();
        assert_eq!(
            (summary.from, summary.to),
            (NOON, now),
            "hours are all that is left there"
        );
        assert_eq!(summary.requests, 14_400);
        let rows = Query {
            filter: Filter {
                outcome: vec![Outcome::Success],
                ..Filter::default()
            },
            ..odd.clone()
        };
        let summary = reader.summary(&rows).await.unwrap();
        assert_eq!(
            summary.from,
            NOON.plus(42 * HOUR),
            "only rows tell outcomes apart, and they begin here"
        );
        assert_eq!(summary.requests, 6 * 300);
        let series = reader
            .timeseries(&odd, Metric::Requests, 10 * Duration::from_mins(1), None)
            .await
            .unwrap();
        let known = series.series[0]
            .points
            .iter()
            .filter(|(_, value)| value.is_some())
            .count();
        assert_eq!(known, 24 * 6, "what is no longer known is a gap, not a zero");
        let groups = reader.breakdown(&odd, Dimension::Model, 5).await.unwrap();
        assert_eq!(groups[0].summary.requests, 14_400);
    });
}

#[test]
fn a_pulse_of_a_proxy_that_is_gone_is_forgotten_after_a_day() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[], Some(&pulse(NOON))).await.unwrap();
        writer
            .prune(&Keep::default(), NOON.plus(23 * HOUR))
            .await
            .unwrap();
        assert_eq!(place.reader().pulses().await.unwrap().len(), 1);
        writer
            .prune(&Keep::default(), NOON.plus(25 * HOUR))
            .await
            .unwrap();
        assert!(place.reader().pulses().await.unwrap().is_empty());
    });
}
