//! A past that is made at once is the past that a writer would have left.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{Dimension, Keep, Query, Summary};
use record::{MetricRecord, Name, Tag, UnixMillis};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::{NOON, Place, block_on, plain, pulse};

const DAY: Duration = Duration::from_hours(24);

/// Forty days, a request every eleven minutes, of several models, users and teams.
fn past() -> Vec<MetricRecord> {
    (0..40 * 24 * 60 / 11)
        .map(|n: u64| {
            let mut record = plain(&format!("r-{n}"), NOON.plus(Duration::from_secs(n * 660 + n % 7)));
            record.model = Some(format!("model-{}", n % 3).into());
            record.replica = Some(format!("replica-{}", n % 5).into());
            record.identity.user = Some(format!("user-{}", n % 11).into());
            record.times.ttft = Some(Duration::from_millis(50 + n % 400));
            record.identity.tags.push(Tag {
                name: "team".into(),
                value: format!("team-{}", n % 2).into(),
            });
            record
        })
        .collect()
}

fn keep() -> Keep {
    Keep {
        requests: 2 * DAY,
        minutes: 10 * DAY,
        hours: 30 * DAY,
        ..Keep::default()
    }
}

/// What every table holds, where several sheets of one bucket are only counted together.
async fn content(place: &Place) -> (BTreeMap<(i64, i64, i64), i64>, Vec<(i64, i64, i64, i64)>, i64) {
    let options = SqliteConnectOptions::new().filename(place.path()).read_only(true);
    let mut connection = options.connect().await.unwrap();
    let sheets: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT seconds, cube, at_s, sum(requests) FROM sheet GROUP BY 1, 2, 3")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let tiers = sqlx::query_as("SELECT seconds, cube, kept_from_s, folded_until_s FROM tier ORDER BY 1, 2")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let (rows,) = sqlx::query_as("SELECT count(*) FROM request")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let sheets = sheets
        .into_iter()
        .map(|(seconds, cube, at_s, requests)| ((seconds, cube, at_s), requests));
    (sheets.collect(), tiers, rows)
}

/// The figures of each group, by its name: numbers of names differ between the two.
async fn groups(place: &Place, query: &Query, by: Dimension) -> BTreeMap<Option<Name>, Summary> {
    let rows = place.reader().breakdown(query, by, 99).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.summary)).collect()
}

#[test]
fn a_past_made_at_once_equals_the_one_that_was_written() {
    block_on(async {
        let now = NOON.plus(41 * DAY);
        let (written, made) = (Place::new(), Place::new());
        let mut writer = written.writer().await;
        for batch in past().chunks(1_000) {
            writer.append(batch, None).await.unwrap();
        }
        let mut filler = made.writer().await;
        let mut history = filler.history(&keep(), now).await.unwrap();
        for record in past() {
            history.add(&record).await.unwrap();
        }
        history.finish().await.unwrap();
        for writer in [&mut writer, &mut filler] {
            for _ in 0..20 {
                writer.append(&[], Some(&pulse(now))).await.unwrap();
            }
            while writer.prune(&keep(), now).await.unwrap().more {}
        }
        assert_eq!(content(&written).await, content(&made).await);
        for (from, days) in [(5_432, 41), (9 * 86_400_000, 30), (39 * 86_400_000 + 7, 40)] {
            let query = Query::window(UnixMillis(NOON.0 + from), NOON.plus(days * DAY));
            for by in [Dimension::Model, Dimension::Replica, Dimension::User] {
                assert_eq!(
                    groups(&written, &query, by).await,
                    groups(&made, &query, by).await,
                    "by {by} of {query:?}"
                );
            }
        }
        assert!(
            filler.history(&keep(), now).await.is_err(),
            "only an empty ledger is filled"
        );
    });
}
