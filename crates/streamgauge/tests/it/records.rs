//! Nothing is lost: every request leaves exactly one record, also when the process ends under load.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use record::MetricRecord;
use rustix::process::Signal;
use serde_json::Value;
use simulator::load::{self, LoadSettings, Mode, Traffic};
use simulator::{Settings, Simulator, TokenRange};
use tokio::sync::Notify;

use crate::exchange::{CHAT, STREAM, post, start};
use crate::up::{DEADLINE, Up, ask};

async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        tokens: TokenRange { min: 3, max: 3 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// The value of a metric without labels, or the sum over its labels.
pub(crate) fn metric(text: &str, name: &str) -> u64 {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name)).then(|| value.parse::<u64>().ok())?
    });
    values.sum()
}

#[tokio::test]
async fn the_conservation_law_holds_while_requests_run_and_after() {
    let replica = replica().await;
    let up = start(&[replica.url()], "").await;
    for round in 0..50 {
        let body = if round % 5 == 0 { "not json" } else { STREAM };
        post(&up, &format!("law-{round}"), body).await;
    }
    let law = async {
        loop {
            let text = ask(&up.ops, "GET", "/metrics", "").await;
            let [finished, written, queued, dropped] = [
                "records_finished_total",
                "records_written_total",
                "record_queue_length",
                "records_dropped_total",
            ]
            .map(|name| metric(&text, &format!("streamgauge_{name}")));
            assert!(finished <= 50, "each request once: {finished}");
            if finished == 50 && written == 50 {
                return (queued, dropped);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let rest = tokio::time::timeout(DEADLINE, law)
        .await
        .expect("every record is written");
    assert_eq!(rest, (0, 0), "finished == written + queued + dropped");
}

#[tokio::test]
async fn every_answer_that_came_whole_has_its_row_after_a_sigterm_under_load() {
    let replica = replica().await;
    let mut up = start(&[replica.url()], "").await;
    let stop = Arc::new(Notify::new());
    let settings = LoadSettings {
        mode: Mode::Closed { connections: 16 },
        traffic: Traffic::Fixed {
            path: CHAT.to_owned(),
            body: Bytes::from_static(STREAM.as_bytes()),
        },
        duration: None,
        keep_ids: true,
        ..LoadSettings::new(format!("http://{}", up.proxy))
    };
    let stopped = Arc::clone(&stop);
    let load = tokio::spawn(load::drive(
        settings,
        async move { stopped.notified().await },
        |_| {},
    ));
    replica
        .wait_until("load", DEADLINE, |stats| stats.completed() > 300)
        .await
        .expect("requests run");
    up.signal(Signal::TERM);
    assert!(
        up.ended().await.success(),
        "a SIGTERM is a clean end; log: {:#?}",
        up.log()
    );
    stop.notify_one();
    let summary = load.await.expect("no panic").expect("a summary");
    assert!(summary.whole_ids.len() > 300, "{}", summary.whole_ids.len());
    let rows = rows(&up).await;
    let missing: Vec<_> = summary
        .whole_ids
        .iter()
        .filter(|id| !rows.contains(id.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} answers have no row",
        missing.len(),
        summary.whole_ids.len()
    );
}

/// The ids of all rows of a ledger whose processes have ended.
async fn rows(up: &Up) -> HashSet<String> {
    let records = records(up).await;
    records.iter().map(|record| record.id.to_string()).collect()
}

/// All rows of a ledger.
pub(crate) async fn records(up: &Up) -> Vec<MetricRecord> {
    let reader = ledger::Reader::open(&up.ledger).expect("the ledger is there");
    let query = ledger::Query {
        from: record::UnixMillis(0),
        to: record::UnixMillis(i64::MAX >> 22),
        filter: ledger::Filter::default(),
    };
    let mut page = ledger::Page {
        limit: ledger::PAGE_LIMIT_MAX,
        cursor: None,
    };
    let mut records = Vec::new();
    loop {
        let answer = reader.requests(&query, &page).await.expect("a page");
        records.extend(answer.records);
        page.cursor = answer.next;
        if page.cursor.is_none() {
            return records;
        }
    }
}

#[tokio::test]
async fn both_endpoints_show_the_same_metrics() {
    let replica = replica().await;
    let up = start(&[replica.url()], "").await;
    post(&up, "seen", STREAM).await;
    let name = "streamgauge_generation_tokens_total";
    for address in [&up.ops, &up.api] {
        let looking = async {
            while metric(&ask(address, "GET", "/metrics", "").await, name) != 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, looking)
            .await
            .unwrap_or_else(|_| panic!("{address} never showed 3 tokens"));
    }
    let summary = ask(&up.api, "GET", "/api/v1/summary?from=now-5m", "").await;
    let summary: Value =
        serde_json::from_str(summary.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(
        (&summary["requests"], &summary["tokens"]["completion"]),
        (&1.into(), &3.into()),
        "{summary}"
    );
}
