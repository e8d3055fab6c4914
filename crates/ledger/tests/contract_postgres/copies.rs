//! A SQLite ledger copied into PostgreSQL: the same answers, beside what others have written.

use std::time::Duration;

use ledger::{By, CopyError, Dimension, Keep, Metric, Page, Query, Reader, Writer, copy};
use record::{MetricRecord, Outcome, Tag, UnixMillis};
use sqlx::Executor as _;

use crate::retention::prune;
use crate::support::{NOON, Place, block_on, plain, pulse};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

/// Three days of requests that differ in everything that has a name.
fn traffic() -> Vec<MetricRecord> {
    (0..5_000)
        .map(|n| {
            let mut record = plain(&format!("old-{n}"), NOON.plus(Duration::from_secs(n * 52)));
            record.model = Some(format!("model-{}", n % 3).into());
            record.replica = Some(format!("10.0.0.{}:8000", n % 5).into());
            record.identity.user = Some(format!("user-{}", n % 40).into());
            record.identity.key = Some(format!("key-{}", n % 4).into());
            record.identity.tags = vec![Tag {
                name: "team".into(),
                value: format!("team-{}", n % 2).into(),
            }];
            if n % 10 == 0 {
                record.outcome = Outcome::UpstreamError;
                record.error_type = Some("server_error".into());
            }
            record
        })
        .collect()
}

/// A SQLite ledger of these, with its oldest rows gone and buckets closed.
async fn source(folder: &tempfile::TempDir) -> String {
    let url = format!("sqlite://{}/old.db", folder.path().display());
    let mut writer = Writer::open(&url).await.unwrap();
    for batch in traffic().chunks(700) {
        writer.append(batch, None).await.unwrap();
    }
    let now = NOON.plus(3 * DAY + 2 * HOUR);
    for _ in 0..10 {
        writer.append(&[], Some(&pulse(now))).await.unwrap();
    }
    let keep = Keep {
        requests: DAY,
        ..Keep::default()
    };
    prune(&mut writer, &keep, now).await;
    writer.close().await.unwrap();
    url
}

/// What a page would show.
async fn answers(reader: &Reader, window: &Query) -> String {
    let mut text = format!("{:?}", reader.summary(window).await.unwrap());
    for by in [
        Dimension::Model,
        Dimension::Replica,
        Dimension::User,
        Dimension::Key,
    ] {
        let mut rows = reader.breakdown(window, by, 100).await.unwrap();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        text += &format!("\n{rows:?}");
    }
    let teams = reader.breakdown(window, By::Tag("team".into()), 9).await.unwrap();
    let mut teams: Vec<_> = teams
        .iter()
        .map(|row| (row.key.clone(), row.summary.requests))
        .collect();
    teams.sort();
    let series = reader
        .timeseries(window, Metric::TtftP95, HOUR, None)
        .await
        .unwrap();
    format!("{text}\n{teams:?}\n{series:?}")
}

#[test]
fn a_copy_answers_like_its_source_and_others_may_write_meanwhile() {
    block_on(async {
        let place = Place::new();
        let folder = tempfile::tempdir().unwrap();
        let from = source(&folder).await;
        let mut proxy = place.writer_as("gauge-1").await;
        // Other numbers for the same names.
        let mut own = traffic().split_off(4_990);
        own.reverse();
        for record in &mut own {
            record.id = format!("own-{}", record.id).into();
            record.started_at = record.started_at.plus(30 * DAY);
        }
        proxy.append(&own, None).await.unwrap();
        let mut steps = 0;
        let copied = copy(&from, &place.url(), |_| steps += 1).await.unwrap();
        assert!(
            copied.requests > 1_500 && copied.sums > 100 && steps > 2,
            "{copied:?}"
        );
        let (before, after) = (Reader::open(&from).unwrap(), place.reader());
        let window = Query::window(NOON, NOON.plus(3 * DAY));
        assert_eq!(answers(&after, &window).await, answers(&before, &window).await);
        assert_eq!(after.summary(&ever()).await.unwrap().requests, 5_010);
        let page = Page {
            limit: 1_000,
            cursor: None,
        };
        let (mut old, mut new) = (
            before.requests(&window, &page).await.unwrap().records,
            after.requests(&window, &page).await.unwrap().records,
        );
        for records in [&mut old, &mut new] {
            records.sort_by(|a, b| a.id.cmp(&b.id));
        }
        assert_eq!(old, new, "each record reads back equal");

        // What was copied is folded further by whoever is there.
        for _ in 0..45 {
            let now = NOON.plus(40 * DAY);
            proxy.append(&[], Some(&pulse(now))).await.unwrap();
        }
        assert_eq!(after.summary(&ever()).await.unwrap().requests, 5_010);
        let refusal = copy(&from, &place.url(), |_| {}).await.unwrap_err();
        assert!(matches!(refusal, CopyError::Done { .. }), "{refusal}");
    });
}

#[test]
fn a_copy_that_was_stopped_goes_on_where_it_was() {
    block_on(async {
        let place = Place::new();
        let folder = tempfile::tempdir().unwrap();
        let from = source(&folder).await;
        place.writer().await.close().await.unwrap();
        let mut stranger = place.stranger().await;
        stranger
            .execute("ALTER TABLE sheet ADD CONSTRAINT stop CHECK (seconds <> 3600)")
            .await
            .unwrap();
        copy(&from, &place.url(), |_| {}).await.unwrap_err();
        let rows = place.numbers("SELECT count(*) FROM request").await[0][0];
        assert!(rows > 1_500, "rows went first: {rows}");
        assert_eq!(place.numbers("SELECT count(*) FROM sheet").await, [[0]]);
        stranger
            .execute("ALTER TABLE sheet DROP CONSTRAINT stop")
            .await
            .unwrap();
        let copied = copy(&from, &place.url(), |_| {}).await.unwrap();
        assert_eq!(
            place.numbers("SELECT count(*) FROM request").await,
            [[rows]],
            "none twice"
        );
        assert_eq!(i64::try_from(copied.requests), Ok(rows));
        assert_eq!(place.reader().summary(&ever()).await.unwrap().requests, 5_000);
    });
}

#[test]
fn a_source_in_use_and_a_wrong_direction_are_refused() {
    block_on(async {
        let place = Place::new();
        let folder = tempfile::tempdir().unwrap();
        let from = source(&folder).await;
        let writer = Writer::open(&from).await.unwrap();
        let refusal = copy(&from, &place.url(), |_| {}).await.unwrap_err();
        assert!(
            matches!(&refusal, CopyError::Open(error) if error.is_taken()),
            "{refusal}"
        );
        drop(writer);
        let back = copy("postgres://me:secret@db/gauge", &from, |_| {})
            .await
            .unwrap_err();
        assert!(matches!(back, CopyError::Direction { .. }));
        assert!(!back.to_string().contains("secret"), "{back}");
        let missing = format!("sqlite://{}/none.db", folder.path().display());
        let refusal = copy(&missing, &place.url(), |_| {}).await.unwrap_err();
        assert!(matches!(refusal, CopyError::Missing { .. }), "{refusal}");
    });
}
