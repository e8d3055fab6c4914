//! A replica's failure is not its client's: other replicas answer, requests wait for a place, and nobody
//! works for a client that has left.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulator::{Fault, Scripted, Settings, Simulator, Step, TokenRange};

use crate::exchange::{CHAT, Client, STREAM, chunked_answer, one_token, post, record, request, start};
use crate::up::{DEADLINE, Up, ask};

/// No probe may come in between, and no failure may take a replica out.
const CALM: &str = "interval: 600s, failures: 1000, eject_after: 1000";

fn settings() -> Settings {
    Settings {
        models: vec!["m".to_owned()],
        tokens: TokenRange { min: 5, max: 5 },
        ..Settings::default()
    }
}

async fn replica(ttft: Duration) -> Simulator {
    let settings = Settings { ttft, ..settings() };
    Simulator::start(settings).await.expect("a free port")
}

fn whole() -> Vec<Step> {
    chunked_answer(&[&one_token()[..], b"data: [DONE]\n\n"].concat(), &[])
}

fn ends(record: &Value) -> Vec<&str> {
    let log = record["attempt_log"].as_array().expect("a list");
    log.iter().filter_map(|attempt| attempt["end"].as_str()).collect()
}

/// Waits until a metric of the proxy has this value.
async fn metric(up: &Up, line: &str) {
    let looking = async {
        while !ask(&up.ops, "GET", "/metrics", "")
            .await
            .lines()
            .any(|other| other == line)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, looking).await;
    assert!(waited.is_ok(), "waited for `{line}`; log: {:#?}", up.log());
}

#[tokio::test]
async fn a_request_that_got_nothing_is_answered_by_another_replica() {
    let there = replica(Duration::ZERO).await;
    for (id, last) in [("closed", Step::Close), ("reset", Step::Reset)] {
        let broken = Scripted::start(vec![vec![last]]).await.expect("a free port");
        let config = format!("pools: [{{balance: round-robin, health: {{{CALM}}}}}]");
        let up = start(&[broken.url(), there.url()], &config).await;
        for turn in 0..2 {
            let answer = post(&up, &format!("{id}-{turn}"), STREAM).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        }
        // Which of the two came first to the broken one is open.
        let (first, second) = (
            record(&up, &format!("{id}-0")).await,
            record(&up, &format!("{id}-1")).await,
        );
        let tried = if first["attempts"] == 2 { &first } else { &second };
        assert_eq!(ends(tried), ["reset", "answered"], "{tried}");
        assert_eq!(tried["outcome"], "success");
    }
}

#[tokio::test]
async fn a_busy_replica_sends_requests_elsewhere_and_its_words_pass_when_there_is_no_elsewhere() {
    let body = r#"{"error":{"message":"m","type":"overloaded","param":null,"code":503}}"#;
    let wire = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let busy = Scripted::start(vec![vec![Step::Send(Bytes::from(wire))]])
        .await
        .expect("a free port");
    let there = replica(Duration::ZERO).await;
    let config = format!("pools: [{{balance: round-robin, health: {{{CALM}}}}}]");
    let up = start(&[busy.url(), there.url()], &config).await;
    for turn in 0..6 {
        let answer = post(&up, &format!("busy-{turn}"), STREAM).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(busy.requests().len(), 1, "it asked for a pause of 7 s");

    let alone = start(&[busy.url()], &config).await;
    let answer = post(&alone, "alone", STREAM).await;
    assert_eq!((answer.status, answer.text().as_str()), (503, body));
    assert_eq!(answer.header("retry-after"), Some("7"));
    let record = record(&alone, "alone").await;
    assert_eq!(
        (&record["outcome"], &record["attempts"]),
        (&"upstream_error".into(), &1.into())
    );
}

#[tokio::test]
async fn failed_requests_eject_a_replica_and_a_trial_brings_it_back() {
    let (ill, well) = (replica(Duration::ZERO).await, replica(Duration::ZERO).await);
    let config =
        "pools: [{balance: round-robin, health: {interval: 600s, eject_after: 2, eject_for: 300ms}}]";
    let up = start(&[ill.url(), well.url()], config).await;
    ill.set_faults(vec![Fault::Status(500)]);
    for turn in 0..6 {
        post(&up, &format!("ill-{turn}"), STREAM).await;
    }
    up.logged("is out for 300ms: its requests fail").await;
    ill.set_faults(Vec::new());
    let name = ill.addr().to_string();
    metric(
        &up,
        &format!(r#"streamgauge_replica_state{{pool="default",replica="{name}",state="half_open"}} 1"#),
    )
    .await;
    for turn in 0..3 {
        let answer = post(&up, &format!("back-{turn}"), STREAM).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    metric(
        &up,
        &format!(r#"streamgauge_replica_state{{pool="default",replica="{name}",state="up"}} 1"#),
    )
    .await;
}

#[tokio::test]
async fn requests_wait_for_a_place_and_leave_it_to_the_next() {
    let replica = replica(Duration::from_millis(300)).await;
    let config = "pools: [{max_in_flight: 1, queue: {timeout: 20s}}]";
    let up = start(&[replica.url()], config).await;
    let ids = ["one", "two", "three"];
    let [one, two, three] = ids.map(|id| post(&up, id, STREAM));
    for answer in <[_; 3]>::from(tokio::join!(one, two, three)) {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let mut waits = Vec::new();
    for id in ids {
        waits.push(record(&up, id).await["queue_ms"].as_f64().expect("a wait"));
    }
    waits.sort_by(f64::total_cmp);
    assert!(
        waits[0] < 300.0 && waits[2] >= 500.0,
        "one after the other: {waits:?}"
    );
    metric(
        &up,
        r#"streamgauge_queue_left_total{how="served",pool="default"} 2"#,
    )
    .await;
    metric(&up, "streamgauge_in_flight_difference 0").await;
}

#[tokio::test]
async fn a_wait_ends_at_its_deadline_and_with_its_client() {
    let replica = replica(Duration::from_secs(600)).await;
    let config = "pools: [{queue: {timeout: 400ms, max: 1}, replicas: [{url: URL, max_in_flight: 1}]}]";
    let up = start(&[], &config.replace("URL", &replica.url())).await;
    let mut holder = Client::connect(&up.proxy).await;
    holder.send(request(CHAT, "holder", STREAM)).await;
    replica
        .wait_until("the request that holds the place", DEADLINE, |stats| {
            stats.running() == 1
        })
        .await
        .expect("it arrives");

    let mut leaves = Client::connect(&up.proxy).await;
    leaves.send(request(CHAT, "leaves", STREAM)).await;
    metric(&up, r#"streamgauge_num_requests_waiting{pool="default"} 1"#).await;
    let full = post(&up, "full", STREAM).await;
    assert_eq!(
        (full.status, full.error_type().as_str()),
        (503, "overloaded_error")
    );
    let wait: u64 = full
        .header("retry-after")
        .expect("when to come back")
        .parse()
        .expect("seconds");
    assert!((10..=13).contains(&wait), "no pace is known yet: {wait} s");
    drop(leaves);
    let gone = record(&up, "leaves").await;
    assert_eq!(
        (&gone["outcome"], &gone["attempts"]),
        (&"client_cancelled".into(), &0.into())
    );

    let late = post(&up, "late", STREAM).await;
    assert_eq!(
        (late.status, late.error_type().as_str()),
        (503, "overloaded_error")
    );
    let late = record(&up, "late").await;
    assert_eq!(late["outcome"], "rejected");
    assert!(
        late["queue_ms"].as_f64().is_some_and(|wait| wait >= 400.0),
        "{late}"
    );
    assert_eq!(
        replica.stats().running(),
        1,
        "the replica has seen only the first one"
    );
    drop(holder);
}

#[tokio::test]
async fn the_restart_of_the_only_replica_costs_a_wait_and_no_error() {
    let settings = Settings {
        ttft: Duration::from_millis(50),
        ..settings()
    };
    let replica = Simulator::start(settings.clone()).await.expect("a free port");
    let up = start(&[replica.url()], "pools: [{queue: {timeout: 30s}}]").await;
    assert_eq!(post(&up, "before", STREAM).await.status, 200);
    let listen = replica.addr();
    replica.stop().await;
    let waiting = [post(&up, "first", STREAM), post(&up, "second", STREAM)];
    let [first, second] = waiting;
    let restart = async {
        metric(&up, r#"streamgauge_num_requests_waiting{pool="default"} 2"#).await;
        Simulator::start(Settings { listen, ..settings })
            .await
            .expect("the port is free again")
    };
    let (first, second, _replica) = tokio::join!(first, second, restart);
    assert_eq!(
        (first.status, second.status),
        (200, 200),
        "{} {}",
        first.text(),
        second.text()
    );
}

#[tokio::test]
async fn a_request_at_a_replica_that_does_not_speak_goes_to_one_that_does() {
    let (deaf, well) = (replica(Duration::ZERO).await, replica(Duration::ZERO).await);
    let config = "pools: [{balance: round-robin, health: {interval: 100ms, timeout: 100ms, failures: 2}}]";
    let up = start(&[deaf.url(), well.url()], config).await;
    deaf.set_faults(vec![Fault::Hang]);
    let posts = [post(&up, "deaf-0", STREAM), post(&up, "deaf-1", STREAM)];
    let [first, second] = posts;
    let silence = async {
        let name = deaf.addr().to_string();
        metric(
            &up,
            &format!(r#"streamgauge_num_requests_running{{pool="default",replica="{name}"}} 1"#),
        )
        .await;
        deaf.ignore_connections().await;
    };
    let (first, second, ()) = tokio::join!(first, second, silence);
    assert_eq!(
        (first.status, second.status),
        (200, 200),
        "{} {}",
        first.text(),
        second.text()
    );
    let (first, second) = (record(&up, "deaf-0").await, record(&up, "deaf-1").await);
    let moved = if first["attempts"] == 2 { first } else { second };
    assert_eq!(ends(&moved), ["timeout_first_byte", "answered"], "{moved}");
    assert_eq!(well.stats().completed(), 2);
}

#[tokio::test]
async fn a_pooled_connection_and_a_whole_answer_stay_one_attempt() {
    let replica = Scripted::start(vec![whole()]).await.expect("a free port");
    let up = start(&[replica.url()], "").await;
    for id in ["one", "two"] {
        assert_eq!(post(&up, id, STREAM).await.status, 200);
    }
    let record = record(&up, "two").await;
    assert_eq!(record["attempts"], 1);
    assert!(ends(&record).is_empty(), "{record}");
}
