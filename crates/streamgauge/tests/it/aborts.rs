//! Clients that leave at any moment: no replica works on for them, nothing is leaked, and each leaves a row.
//!
//! `STREAMGAUGE_ABORTS` is the number of clients (`scripts/chaos.sh` takes 1,000). How soon replicas notice
//! is printed; only that they do is asserted, because the machine of a test may be busy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::Outcome;
use simulator::{Settings, Simulator, TokenRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::chaos::{Dice, count_of, now, settle};
use crate::exchange::{CHAT, request, start};
use crate::records::records;
use crate::up::DEADLINE;

/// Clients at once: more than the replica has places, so that some leave the queue.
const AT_ONCE: usize = 24;

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are what the long runs of scripts/chaos.sh are for"
)]
async fn clients_that_leave_at_random_moments_leave_nothing_behind() {
    let clients = count_of("STREAMGAUGE_ABORTS", 200);
    let settings = Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(30),
        itl: Duration::from_millis(5),
        tokens: TokenRange { min: 20, max: 20 },
        ..Settings::default()
    };
    let replica = Simulator::start(settings).await.expect("a free port");
    let config = "pools: [{max_in_flight: 12, queue: {timeout: 60s}}]";
    let up = Arc::new(start(&[replica.url()], config).await);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut left = Vec::new();
    for nth in 0..clients {
        let (up, places) = (Arc::clone(&up), Arc::clone(&places));
        left.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await.expect("nobody closes it");
            leave(&up.proxy, nth).await
        }));
    }
    let mut left_at = HashMap::new();
    for client in left {
        let (id, moment) = client.await.expect("no panic");
        left_at.insert(id, moment);
    }
    replica
        .wait_until("the replica to be idle", DEADLINE, |stats| {
            stats.running() + stats.waiting() == 0
        })
        .await
        .expect("nobody is worked for");
    settle(&up, clients).await;

    let mut delays: Vec<Duration> = replica
        .stats()
        .aborts()
        .iter()
        .filter_map(|(id, noticed)| Some(noticed.saturating_duration_since(*left_at.get(id)?)))
        .collect();
    delays.sort();
    let at = |percent: usize| delays.get((delays.len().max(1) - 1) * percent / 100).copied();
    println!(
        "{clients} clients left; {} answers were whole; the replica worked for {} and noticed \
         after p50 {:?}, p99 {:?}, max {:?}",
        replica.stats().completed(),
        delays.len(),
        at(50).unwrap_or_default(),
        at(99).unwrap_or_default(),
        at(100).unwrap_or_default()
    );
    assert!(
        delays.len() * 10 > clients,
        "many leave while the replica works: {}",
        delays.len()
    );
    assert!(at(99) < Some(Duration::from_secs(5)), "{:?}", at(99));

    let mut up = Arc::into_inner(up).expect("the clients are gone");
    up.signal(rustix::process::Signal::TERM);
    up.ended().await;
    let records = records(&up).await;
    assert_eq!(records.len(), clients, "a row for each");
    let other: Vec<_> = records
        .iter()
        .filter(|record| !matches!(record.outcome, Outcome::ClientCancelled | Outcome::Success))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}

/// Sends a request, leaves at a random moment of its life, and says when.
async fn leave(proxy: &str, nth: usize) -> (String, Instant) {
    let mut dice = Dice::new(nth);
    let id = format!("leave-{nth}");
    let stream = !nth.is_multiple_of(3);
    let body = format!(r#"{{"model":"m","stream":{stream},"messages":[]}}"#);
    let mut client = TcpStream::connect(proxy).await.expect("the port listens");
    let head = request(CHAT, &id, &body);
    client.write_all(head.as_bytes()).await.expect("an open socket");
    let patience = Duration::from_micros(dice.below(150_000));
    let mut got = Vec::new();
    let reading = async { while client.read_buf(&mut got).await.is_ok_and(|read| read > 0) {} };
    // Whoever is answered before its time leaves after the answer.
    let _answered = tokio::time::timeout(patience, reading).await;
    let moment = now();
    drop(client);
    (id, moment)
}
