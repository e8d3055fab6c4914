//! What is stored reads back equal, on pages that neither skip nor repeat.

use std::collections::HashSet;

use ledger::{Filter, Page, Query};
use proptest::prelude::*;
use record::{MetricRecord, Outcome, Pulse, ReplicaPulse, ReplicaState, UnixMillis};

use crate::support::{NOON, Place, block_on, plain, records};

/// The whole of time.
fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

/// All pages of a question.
async fn all(reader: &ledger::Reader, query: &Query, limit: usize) -> Vec<MetricRecord> {
    let mut found = Vec::new();
    let mut page = Page { limit, cursor: None };
    loop {
        let answer = reader.requests(query, &page).await.unwrap();
        assert!(
            answer.records.len() <= limit,
            "a page holds at most what was asked for"
        );
        found.extend(answer.records);
        match answer.next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return found,
        }
    }
}

/// Order that does not depend on how ties within a millisecond are broken.
fn sorted(mut records: Vec<MetricRecord>) -> Vec<MetricRecord> {
    records.sort_by_cached_key(|record| (record.started_at, format!("{record:?}")));
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn records_read_back_equal(
        // A range of 40 ms: many records share their millisecond.
        first in records(NOON.0..NOON.0 + 40, 0..90),
        second in records(NOON.0..NOON.0 + 40, 0..20),
        limit in 1_usize..50,
    ) {
        block_on(async {
            let place = Place::new();
            let mut writer = place.writer().await;
            writer.append(&first, None).await.unwrap();
            writer.close().await.unwrap();
            let mut writer = place.writer().await;
            writer.append(&second, None).await.unwrap();
            let found = all(&place.reader(), &ever(), limit).await;
            assert!(
                found.windows(2).all(|pair| pair[0].started_at >= pair[1].started_at),
                "newest first across pages"
            );
            assert_eq!(sorted(found), sorted([first, second].concat()), "every record once, unchanged");
        });
    }
}

#[test]
fn more_records_than_one_statement_holds_are_all_there() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let records: Vec<_> = (0..1_401).map(|n| plain(&format!("r-{n}"), NOON)).collect();
        writer.append(&records, None).await.unwrap();
        let found = all(&place.reader(), &ever(), 1_000).await;
        let ids: HashSet<_> = found.iter().map(|record| record.id.clone()).collect();
        assert_eq!(ids.len(), 1_401, "512 + 512 + 5 x 64 + 7 x 8 + 1 rows");
    });
}

#[test]
fn the_sequence_wraps_without_losing_a_record() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("long-runner", NOON)], None).await.unwrap();
        // 65,535 records later the sequence is back at the number of the first one.
        let filler: Vec<_> = (0..65_535)
            .map(|n| plain("filler", NOON.plus(std::time::Duration::from_millis(n))))
            .collect();
        for batch in filler.chunks(4_096) {
            writer.append(batch, None).await.unwrap();
        }
        let late: Vec<_> = ["a", "b", "c"].map(|id| plain(id, NOON)).into();
        writer.append(&late, None).await.unwrap();
        let reader = place.reader();
        let summary = reader.summary(&ever()).await.unwrap();
        assert_eq!(summary.requests, 1 + 65_535 + 3);
        for id in ["long-runner", "a", "b", "c"] {
            assert_eq!(
                reader.request(id).await.unwrap().unwrap().started_at,
                NOON,
                "{id} keeps its start"
            );
        }
    });
}

/// Four requests that differ in model, outcome and user.
fn different() -> Vec<MetricRecord> {
    let mut records = Vec::new();
    for (id, model, outcome, user) in [
        ("1", "llama", Outcome::Success, Some("ann")),
        ("2", "qwen", Outcome::Success, Some("bob")),
        ("3", "qwen", Outcome::UpstreamError, None),
        ("4", "phi", Outcome::ClientCancelled, Some("ann")),
    ] {
        let mut record = plain(id, NOON);
        record.model = Some(model.into());
        record.outcome = outcome;
        record.identity.user = user.map(Into::into);
        records.push(record);
    }
    // Nothing answered: the model that was asked for counts.
    records[3].model = None;
    records[3].model_requested = Some("phi".into());
    records
}

#[test]
fn filters_are_alternatives_within_a_field_and_conditions_between_fields() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let records = different();
        writer.append(&records, None).await.unwrap();
        let reader = place.reader();
        let ids = async |filter: Filter| {
            let query = Query { filter, ..ever() };
            let mut ids: Vec<String> = all(&reader, &query, 2)
                .await
                .iter()
                .map(|record| record.id.to_string())
                .collect();
            ids.sort();
            let counted = reader.summary(&query).await.unwrap().requests;
            assert_eq!(
                counted,
                u64::try_from(ids.len()).unwrap(),
                "the list and the sum agree"
            );
            ids.join("")
        };
        let none = Filter::default;
        for (filter, expect) in [
            (none(), "1234"),
            (
                Filter {
                    model: vec!["qwen".into(), "phi".into()],
                    ..none()
                },
                "234",
            ),
            (
                Filter {
                    model: vec!["qwen".into()],
                    outcome: vec![Outcome::UpstreamError],
                    ..none()
                },
                "3",
            ),
            (
                Filter {
                    user: vec!["ann".into()],
                    ..none()
                },
                "14",
            ),
            (
                Filter {
                    user: vec!["' OR 1=1 --".into()],
                    ..none()
                },
                "",
            ),
            (
                Filter {
                    stream: Some(false),
                    ..none()
                },
                "",
            ),
        ] {
            assert_eq!(ids(filter.clone()).await, expect, "{filter:?}");
        }
    });
}

#[test]
fn a_foreign_cursor_is_refused() {
    block_on(async {
        let place = Place::new();
        let _writer = place.writer().await;
        let page = Page {
            limit: 5,
            cursor: Some("nonsense".to_owned()),
        };
        let refusal = place.reader().requests(&ever(), &page).await.unwrap_err();
        assert!(refusal.is_callers(), "the caller is at fault: {refusal}");
    });
}

#[test]
fn a_record_is_found_by_any_form_of_id() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        // The first tells the time of its request, the second a time of its own, the third none.
        let made = format!(
            "{:08x}-{:04x}-7abc-8def-0123456789ab",
            NOON.0 >> 16,
            NOON.0 & 0xffff
        );
        let ids = [
            made.as_str(),
            "00000000-0001-7abc-8def-0123456789ab",
            "client-made.id_1",
        ];
        let records: Vec<_> = ids.iter().map(|id| plain(id, NOON)).collect();
        writer.append(&records, None).await.unwrap();
        let reader = place.reader();
        for (id, record) in ids.into_iter().zip(&records) {
            assert_eq!(reader.request(id).await.unwrap().as_ref(), Some(record), "{id}");
        }
        assert_eq!(reader.request("unknown").await.unwrap(), None);
    });
}

#[test]
fn the_last_pulse_of_each_instance_is_kept() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let mut pulse = Pulse {
            instance: "edge-1".into(),
            version: "0.1.0".to_owned(),
            started_at: NOON,
            at: NOON,
            in_flight: 1,
            waiting: 0,
            replicas: vec![ReplicaPulse {
                replica: "10.0.0.1:8000".into(),
                pool: "default".into(),
                state: ReplicaState::Up,
                in_flight: 1,
                models: vec!["llama".into()],
                changed_at: None,
                requests_total: 7,
                errors_total: 0,
            }],
            ledger: None,
            families: vec![0, 159, 146, 150],
        };
        writer.append(&[], Some(&pulse)).await.unwrap();
        pulse.at = UnixMillis(NOON.0 + 1_000);
        pulse.in_flight = 9;
        writer.append(&[plain("r", NOON)], Some(&pulse)).await.unwrap();
        let other = Pulse {
            instance: "edge-2".into(),
            ledger: None,
            families: Vec::new(),
            ..pulse.clone()
        };
        writer.append(&[], Some(&other)).await.unwrap();
        assert_eq!(place.reader().pulses().await.unwrap(), [pulse, other]);
    });
}
