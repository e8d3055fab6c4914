//! Many proxies, one ledger: nothing of one is lost or counted twice by what another does, and readers see
//! all.

use std::time::Duration;

use ledger::{Dimension, Keep, Page, Query, Writer};
use record::{MetricRecord, Pulse, UnixMillis};
use sqlx::Executor as _;

use crate::retention::prune;
use crate::support::{NOON, Place, block_on, plain};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

/// A request every ten seconds for six hours, named after its proxy.
fn traffic(proxy: &str) -> Vec<MetricRecord> {
    (0..2_160)
        .map(|n| {
            let mut record = plain(&format!("{proxy}-{n}"), NOON.plus(Duration::from_secs(n * 10)));
            record.replica = Some(format!("10.0.0.{}:8000", n % 3).into());
            record
        })
        .collect()
}

fn pulse(instance: &str, at: UnixMillis) -> Pulse {
    Pulse {
        instance: instance.into(),
        version: String::new(),
        started_at: NOON,
        at,
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families: Vec::new(),
    }
}

/// Time goes by for a proxy: it closes buckets, and looks for others that are gone.
async fn live(writer: &mut Writer, instance: &str, at: UnixMillis) {
    for _ in 0..60 {
        writer.append(&[], Some(&pulse(instance, at))).await.unwrap();
    }
}

/// The tiers of every cube that readers may use, and how far.
async fn borders(place: &Place) -> Vec<Vec<i64>> {
    place
        .numbers(
            "SELECT seconds, cube, min(folded_until_s) FROM tier WHERE seconds IN (600, 3600) AND cube = 3 \
             GROUP BY 1, 2 ORDER BY 1",
        )
        .await
}

#[test]
fn proxies_that_write_at_once_add_up() {
    let place = Place::new();
    let names = ["a", "b", "c", "d"];
    std::thread::scope(|scope| {
        for name in names {
            let place = &place;
            scope.spawn(move || {
                block_on(async {
                    // All at once make the tables, the partition and the same names.
                    let mut writer = place.writer_as(name).await;
                    for (n, batch) in traffic(name).chunks(97).enumerate() {
                        let at = batch.last().unwrap().started_at;
                        let beat = pulse(name, at);
                        writer.append(batch, (n % 3 == 0).then_some(&beat)).await.unwrap();
                    }
                    live(&mut writer, name, NOON.plus(8 * HOUR)).await;
                    writer.close().await.unwrap();
                });
            });
        }
    });
    block_on(async {
        let reader = place.reader();
        let summary = reader.summary(&ever()).await.unwrap();
        assert_eq!(summary.requests, 4 * 2_160);
        assert_eq!(summary.tokens.prompt, Some(4 * 2_160 * 1_000));
        let replicas = reader.breakdown(&ever(), Dimension::Replica, 10).await.unwrap();
        let counts: Vec<u64> = replicas.iter().map(|row| row.summary.requests).collect();
        assert_eq!(
            counts, [2_880; 3],
            "each name has one number, whoever met it first"
        );
        let hour = Query::window(NOON.plus(HOUR), NOON.plus(2 * HOUR));
        assert_eq!(reader.summary(&hour).await.unwrap().requests, 4 * 360);
        let pulses = reader.pulses().await.unwrap();
        assert_eq!(pulses.len(), 4, "one pulse of each");
        let sums = place
            .numbers(
                "SELECT DISTINCT sum(requests) FROM sheet WHERE cube = 0 AND seconds <= 3600 \
                 GROUP BY seconds",
            )
            .await;
        assert_eq!(sums, [[4 * 2_160]], "every closed tier holds every request");
    });
}

#[test]
fn one_name_has_one_writer_and_a_name_that_is_free_goes_on() {
    block_on(async {
        let place = Place::new();
        let mut first = place.writer_as("gauge-1").await;
        first.append(&[plain("x", NOON)], None).await.unwrap();
        let refusal = Writer::open_as(&place.url(), "gauge-1").await.unwrap_err();
        assert!(refusal.is_taken(), "{refusal}");
        let words = refusal.to_string();
        assert!(
            words.contains("gauge-1") && words.contains("proxy.instance"),
            "{words}"
        );
        place.writer_as("gauge-2").await;
        first.close().await.unwrap();
        let mut again = place.writer_as("gauge-1").await;
        again.append(&[plain("y", NOON)], None).await.unwrap();
        assert_eq!(place.reader().summary(&ever()).await.unwrap().requests, 2);
        let names = place.numbers("SELECT count(*), max(number) FROM instance").await;
        assert_eq!(names, [[2, 2]], "a name keeps its number");
    });
}

#[test]
fn more_proxies_than_an_id_has_room_for_lose_no_row() {
    block_on(async {
        let place = Place::new();
        // Numbers 1 and 33 share the bits of an id, and both begin to count at 0.
        let mut first = place.writer_as("proxy-1").await;
        let mut stranger = place.stranger().await;
        stranger
            .execute("INSERT INTO instance (name) SELECT 'filler-' || n FROM generate_series(2, 32) AS n")
            .await
            .unwrap();
        let mut twin = place.writer_as("proxy-33").await;
        for (n, writer) in [&mut first, &mut twin].into_iter().enumerate() {
            let batch: Vec<_> = (0..500).map(|m| plain(&format!("{n}-{m}"), NOON)).collect();
            writer.append(&batch, None).await.unwrap();
        }
        let numbers = place
            .numbers("SELECT number FROM instance WHERE name LIKE 'proxy%' ORDER BY 1")
            .await;
        assert_eq!(numbers, [[1], [33]]);
        assert_eq!(place.reader().summary(&ever()).await.unwrap().requests, 1_000);
        assert_eq!(
            place.numbers("SELECT count(DISTINCT rid) FROM request").await,
            [[1_000]]
        );
    });
}

#[test]
fn a_proxy_that_is_gone_holds_nobody_back() {
    block_on(async {
        let place = Place::new();
        let mut gone = place.writer_as("gone").await;
        let mut stays = place.writer_as("stays").await;
        for writer in [&mut gone, &mut stays] {
            writer.append(&traffic("x"), None).await.unwrap();
        }
        let later = NOON.plus(9 * HOUR);
        drop(gone);
        live(&mut stays, "stays", later).await;
        let hour = (later.0 - 3_600_000) / 1_000;
        assert_eq!(
            borders(&place).await,
            [[600, 3, hour + 3_000], [3_600, 3, hour]],
            "what it left is folded by the one that stays"
        );
        let summary = place.reader().summary(&Query::window(NOON, later)).await.unwrap();
        assert_eq!(summary.requests, 2 * 2_160);
        let mut back = place.writer_as("gone").await;
        back.append(&[plain("late", NOON.plus(HOUR))], None)
            .await
            .unwrap();
        live(&mut back, "gone", later).await;
        let hour = Query::window(NOON.plus(HOUR), NOON.plus(2 * HOUR));
        assert_eq!(place.reader().summary(&hour).await.unwrap().requests, 2 * 360 + 1);
    });
}

#[test]
fn a_proxy_that_is_gone_and_complete_is_forgotten_and_may_return() {
    block_on(async {
        let place = Place::new();
        let mut gone = place.writer_as("gone").await;
        let mut stays = place.writer_as("stays").await;
        gone.append(&[plain("old", NOON)], None).await.unwrap();
        drop(gone);
        // Past the thirty days that the coarsest tier spans.
        for day in 0..70 {
            live(&mut stays, "stays", NOON.plus(DAY * day)).await;
        }
        let rows = place
            .numbers("SELECT count(*) FROM tier WHERE instance = 1")
            .await;
        assert_eq!(rows, [[0]], "nothing of it is left to be folded");
        let summary = place.reader().summary(&ever()).await.unwrap();
        assert_eq!(summary.requests, 1, "and its request still counts");
        let mut back = place.writer_as("gone").await;
        back.append(&[plain("late", NOON)], None).await.unwrap();
        live(&mut back, "gone", NOON.plus(DAY * 71)).await;
        live(&mut stays, "stays", NOON.plus(DAY * 71)).await;
        let day = Query::window(UnixMillis(NOON.0 - 43_200_000), UnixMillis(NOON.0 + 43_200_000));
        assert_eq!(place.reader().summary(&day).await.unwrap().requests, 2);
    });
}

#[test]
fn past_days_are_hidden_first_and_dropped_then() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let days: Vec<_> = (0..4)
            .map(|day| plain(&format!("day-{day}"), NOON.plus(DAY * day)))
            .collect();
        writer.append(&days, None).await.unwrap();
        live(&mut writer, "writer", NOON.plus(3 * DAY + 2 * HOUR)).await;
        let reader = place.reader();
        let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'request'::regclass";
        assert_eq!(place.numbers(partitions).await, [[5]], "four days, and tomorrow");
        let before = reader.summary(&ever()).await.unwrap();
        let keep = Keep {
            requests: 2 * DAY,
            ..Keep::default()
        };
        let now = NOON.plus(3 * DAY);
        prune(&mut writer, &keep, now).await;
        assert!(
            reader.request("day-0").await.unwrap().is_none(),
            "hidden by its id"
        );
        let page = reader
            .requests(
                &ever(),
                &Page {
                    limit: 10,
                    cursor: None,
                },
            )
            .await
            .unwrap();
        let ids: Vec<_> = page.records.iter().map(|record| record.id.to_string()).collect();
        assert_eq!(ids, ["day-3", "day-2", "day-1"], "and on pages");
        assert_eq!(
            place.numbers(partitions).await,
            [[5]],
            "a reader may be in the middle of it"
        );
        prune(&mut writer, &keep, now).await;
        assert_eq!(place.numbers(partitions).await, [[4]], "the first day is gone");
        assert_eq!(reader.summary(&ever()).await.unwrap(), before, "its sums stay");
        // A record that comes late has its day made again.
        writer.append(&[plain("late", NOON)], None).await.unwrap();
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, 5);
    });
}

#[test]
fn a_ledger_beyond_its_size_drops_its_oldest_day_and_never_the_present_one() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let days: Vec<_> = (0..3)
            .map(|day| plain(&format!("day-{day}"), NOON.plus(DAY * day)))
            .collect();
        writer.append(&days, None).await.unwrap();
        let keep = Keep {
            max_bytes: Some(1),
            ..Keep::default()
        };
        for _ in 0..10 {
            prune(&mut writer, &keep, NOON.plus(2 * DAY)).await;
        }
        let reader = place.reader();
        assert!(reader.request("day-1").await.unwrap().is_none());
        assert!(reader.request("day-2").await.unwrap().is_some(), "today stays");
        assert!(writer.health().file_bytes.is_some_and(|bytes| bytes > 0));
    });
}
