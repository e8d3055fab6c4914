//! The load generator against simulated replicas: what it reports is what happened.

use std::time::Duration;

use bytes::Bytes;
use simulator::load::{DriveError, LoadSettings, Mode, Summary, Traffic, drive};
use simulator::{Fault, FaultRate, Settings, Simulator};

/// Time for a run on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

async fn run(settings: LoadSettings) -> Summary {
    let running = drive(settings, std::future::pending(), |_| {});
    tokio::time::timeout(DEADLINE, running)
        .await
        .expect("the run ends in time")
        .expect("the run begins")
}

fn fixed(target: String, requests: u64, body: &'static str) -> LoadSettings {
    LoadSettings {
        mode: Mode::Closed { connections: 4 },
        traffic: Traffic::Fixed {
            path: "/v1/chat/completions".to_owned(),
            body: Bytes::from_static(body.as_bytes()),
        },
        requests_max: Some(requests),
        duration: None,
        keep_ids: true,
        ..LoadSettings::new(target)
    }
}

const WHOLE: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#;

#[tokio::test]
async fn every_answer_is_counted_with_its_id_and_connections_are_kept() {
    let replica = Simulator::start(Settings {
        capture: 500,
        ..Settings::default()
    })
    .await
    .unwrap();
    let summary = run(fixed(replica.url(), 200, WHOLE)).await;
    assert_eq!(
        (summary.requests, summary.whole, summary.statuses[&200]),
        (200, 200, 200)
    );
    let mut sent: Vec<String> = replica
        .requests()
        .iter()
        .map(|request| {
            request
                .header("x-request-id")
                .expect("each request has an id")
                .to_owned()
        })
        .collect();
    let mut got = summary.whole_ids.clone();
    sent.sort();
    got.sort();
    assert_eq!(got, sent, "each id that was sent came back whole");
    assert!(
        replica.stats().connections() <= 5,
        "four connections and the first look"
    );
    assert_eq!(summary.ttft(), None, "nothing was streamed");
    assert_eq!(summary.e2e().unwrap().count, 200);
}

#[tokio::test]
async fn streams_have_a_time_to_first_token_and_their_events_are_counted() {
    let settings = Settings {
        ttft: Duration::from_millis(20),
        ..Settings::default()
    };
    let replica = Simulator::start(settings).await.unwrap();
    let summary = run(fixed(replica.url(), 20, STREAM)).await;
    assert_eq!(
        (summary.done, summary.events),
        (20, 20 * 16),
        "sixteen tokens each"
    );
    let ttft = summary.ttft().unwrap();
    assert!(ttft.p50 >= Duration::from_millis(20), "{ttft:?}");
    assert!(
        summary.ttfb().unwrap().p50 < ttft.p50,
        "the head comes before the first token"
    );
    assert_eq!(summary.events, replica.stats().tokens_generated());
}

#[tokio::test]
async fn broken_answers_are_no_whole_ones() {
    let faults = vec![FaultRate {
        fault: Fault::Cut(Some(2)),
        rate: 1.0,
    }];
    let replica = Simulator::start(Settings {
        faults,
        ..Settings::default()
    })
    .await
    .unwrap();
    let summary = run(fixed(replica.url(), 10, STREAM)).await;
    assert_eq!((summary.requests, summary.broken, summary.whole), (10, 10, 0));
    assert!(summary.whole_ids.is_empty());
    replica.set_faults(vec![Fault::Status(503)]);
    let summary = run(fixed(replica.url(), 10, STREAM)).await;
    assert_eq!(summary.statuses[&503], 10);
}

#[tokio::test]
async fn clients_that_leave_are_aborts_on_both_sides() {
    let settings = Settings {
        itl: Duration::from_millis(5),
        tokens: "2000".parse().unwrap(),
        ..Settings::default()
    };
    let replica = Simulator::start(settings).await.unwrap();
    let load = LoadSettings {
        abort_rate: 1.0,
        ..fixed(replica.url(), 12, STREAM)
    };
    let summary = run(load).await;
    assert_eq!((summary.requests, summary.aborted), (12, 12));
    replica
        .wait_until("twelve aborts", DEADLINE, |stats| {
            stats.aborted() == stats.requests()
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_open_loop_of_applications_ends_in_time_with_few_failures() {
    let replica = Simulator::start(Settings::default()).await.unwrap();
    let load = LoadSettings {
        mode: Mode::Open {
            rate: 400.0,
            connections: 64,
            bursts: true,
        },
        duration: Some(Duration::from_millis(500)),
        traffic: Traffic::Applications {
            models: Vec::new(),
            stream_share: None,
            mistake_rate: 0.1,
            key: Some("sk-test".to_owned()),
        },
        ..LoadSettings::new(replica.url())
    };
    let summary = run(load).await;
    assert!(
        summary.requests > 100,
        "about 200 arrive in half a second: {summary}"
    );
    assert_eq!(
        summary.whole, summary.requests,
        "mistakes are answered too: {summary}"
    );
    assert!(
        summary.statuses.contains_key(&404) || summary.statuses.contains_key(&400),
        "{summary}"
    );
    assert!(summary.ttft().unwrap().count > 0, "some applications stream");
    assert!(
        replica.stats().cached_tokens() > 0,
        "applications share their preambles"
    );
}

#[tokio::test]
async fn a_target_that_is_not_there_is_named() {
    let replica = Simulator::start(Settings::default()).await.unwrap();
    let target = replica.url();
    replica.stop().await;
    let load = LoadSettings {
        patience: Duration::from_millis(120),
        ..fixed(target.clone(), 1, WHOLE)
    };
    let error = drive(load, std::future::pending(), |_| {}).await.unwrap_err();
    assert!(
        matches!(error, DriveError::Unreachable { .. }) && error.to_string().contains(&target),
        "{error}"
    );
    let error = drive(LoadSettings::new("ftp://h"), std::future::pending(), |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ftp://h"), "{error}");
}

#[tokio::test]
async fn a_run_stops_when_it_is_told_to() {
    let settings = Settings {
        ttft: Duration::from_secs(600),
        ..Settings::default()
    };
    let replica = Simulator::start(settings).await.unwrap();
    let load = LoadSettings {
        requests_max: None,
        ..fixed(replica.url(), 0, STREAM)
    };
    let stop = async {
        replica
            .wait_until("four under way", DEADLINE, |stats| stats.running() == 4)
            .await
            .unwrap();
    };
    let running = drive(load, stop, |_| {});
    let summary = tokio::time::timeout(DEADLINE, running)
        .await
        .expect("it stops in time")
        .unwrap();
    assert_eq!(summary.requests, 0, "nothing had ended");
    replica
        .wait_until("all to leave", DEADLINE, |stats| stats.running() == 0)
        .await
        .unwrap();
}
