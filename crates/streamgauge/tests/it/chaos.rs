//! Chaos: replicas are killed, hung, reset, slowed and restarted in turn under load, and no client pays for
//! it that had received nothing.
//!
//! Short as a test. `scripts/chaos.sh` runs two minutes at 200 requests a second, by
//! `STREAMGAUGE_CHAOS_SECONDS` and `STREAMGAUGE_CHAOS_RATE`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::Outcome;
use simulator::{Fault, Settings, Simulator, TokenRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::exchange::{CHAT, request, start};
use crate::records::{metric, records};
use crate::up::{DEADLINE, Up, ask};

const REPLICAS: usize = 4;

const CONFIG: &str = "pools: [{
    health: {interval: 200ms, timeout: 500ms, failures: 2, eject_for: 400ms, eject_max: 2s},
    timeouts: {connect: 1s, first_byte: 20s, idle: 1s},
    queue: {timeout: 20s},
    retries: {attempts: 8},
}]";

/// Longer than a request that waits for its first byte takes to notice that its replica is given up.
const NOTICED: Duration = Duration::from_secs(1);

/// What is done to a replica, one after the other.
const TURNS: [&str; 7] = ["killed", "hung", "reset", "slowed", "cut", "busy", "ill"];

/// How an exchange ended, by what its client saw.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Seen {
    /// The whole answer.
    Whole,
    /// A part of a stream, then an error event.
    ToldBroken,
    /// A part of an answer, then the end of the connection.
    Broken,
    /// An error, or nothing at all: what must not happen.
    Nothing,
}

/// Random numbers from a seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

// === impl Dice ===

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        Self(
            u64::try_from(seed)
                .unwrap_or(0)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ 0x1234_5678,
        )
    }

    /// A number below `limit`: xorshift64* (Vigna, 2016).
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % limit.max(1)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clients of this test have the machine's clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A number from the environment, for the long runs of the scripts.
pub(crate) fn count_of(variable: &str, usual: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(usual)
}

fn settings() -> Settings {
    Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(10),
        itl: Duration::from_millis(4),
        tokens: TokenRange { min: 5, max: 40 },
        ..Settings::default()
    }
}

/// Whether a body has the length that its head promised: one that is cut may end like a whole one.
fn is_whole_body(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let promised = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    promised == Some(body.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_that_had_received_nothing_pays_for_a_replica() {
    let seconds = count_of("STREAMGAUGE_CHAOS_SECONDS", 8);
    let rate = count_of("STREAMGAUGE_CHAOS_RATE", 40);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Simulator::start(settings()).await.expect("a free port"));
    }
    let urls: Vec<String> = replicas.iter().map(Simulator::url).collect();
    let mut up = start(&urls, CONFIG).await;

    let mut clients = JoinSet::new();
    let mut pace = interval(Duration::from_secs(1) / u32::try_from(rate).expect("a rate"));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let proxy: Arc<str> = up.proxy.as_str().into();
    let asking = async {
        for nth in 0..seconds * rate {
            pace.tick().await;
            clients.spawn(exchange(Arc::clone(&proxy), nth));
        }
    };
    let turn = Duration::from_secs(u64::try_from(seconds).expect("seconds")) / 14;
    let (_, replicas) = tokio::join!(asking, torment(replicas, turn, seconds, &up.ops));
    let seen: HashMap<String, Seen> = timeout(DEADLINE, clients.join_all())
        .await
        .expect("every exchange ends")
        .into_iter()
        .collect();

    settle(&up, seen.len()).await;
    for replica in &replicas {
        let idle = |stats: &simulator::Stats| stats.running() + stats.waiting() == 0;
        replica
            .wait_until("the replicas to be idle", DEADLINE, idle)
            .await
            .expect("no request is left behind");
    }
    up.signal(rustix::process::Signal::TERM);
    up.ended().await;
    judge(&up, &seen).await;
}

/// Does one thing after the other to one replica after the other.
async fn torment(mut replicas: Vec<Simulator>, turn: Duration, seconds: usize, ops: &str) -> Vec<Simulator> {
    let began = now();
    let end = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).saturating_sub(turn);
    let mut nth = 0;
    while now() - began < end {
        let what = TURNS[nth % TURNS.len()];
        let at = nth % REPLICAS;
        nth += 1;
        if what == "killed" {
            let replica = replicas.remove(at);
            let listen = replica.addr();
            replica.stop().await;
            tokio::time::sleep(turn).await;
            let again = Settings { listen, ..settings() };
            replicas.insert(at, Simulator::start(again).await.expect("the port is free again"));
            continue;
        }
        let replica = &replicas[at];
        let stall = Fault::Stall {
            pause: Some(Duration::from_millis(300)),
            after: 3,
        };
        match what {
            "hung" => {
                replica.set_faults(vec![Fault::Hang]);
                replica.ignore_connections().await;
            }
            "reset" => replica.set_faults(vec![Fault::Reset(Some(0))]),
            "slowed" => replica.set_faults(vec![Fault::SlowHead(Duration::from_millis(200)), stall]),
            "cut" => replica.set_faults(vec![Fault::Cut(None)]),
            "busy" => replica.set_faults(vec![Fault::Status(503)]),
            _ => replica.set_healthy(false),
        }
        tokio::time::sleep(turn).await;
        if what == "hung" {
            // The simulator's hung requests never go on, so it must be found out before it comes back.
            found_out(ops, &replica.addr().to_string()).await;
            tokio::time::sleep(NOTICED).await;
        }
        replica.set_faults(Vec::new());
        replica.set_healthy(true);
        if what == "hung" {
            replica.accept_connections().await;
        }
    }
    replicas
}

/// Waits until the proxy has given a replica up.
async fn found_out(ops: &str, replica: &str) {
    let line = format!(r#"streamgauge_replica_state{{pool="default",replica="{replica}",state="down"}} 1"#);
    let looking = async {
        while !ask(ops, "GET", "/metrics", "").await.contains(&line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = timeout(DEADLINE, looking).await;
    assert!(found.is_ok(), "waited for `{line}`");
}

async fn exchange(proxy: Arc<str>, nth: usize) -> (String, Seen) {
    let id = format!("chaos-{nth}");
    let stream = !nth.is_multiple_of(4);
    let body = format!(r#"{{"model":"m","stream":{stream},"messages":[]}}"#);
    let mut got = Vec::new();
    let asking = async {
        let mut client = TcpStream::connect(&*proxy).await?;
        client.write_all(request(CHAT, &id, &body).as_bytes()).await?;
        client.read_to_end(&mut got).await
    };
    let whole = timeout(DEADLINE, asking).await.is_ok_and(|read| read.is_ok());
    let text = String::from_utf8_lossy(&got);
    let begun = text.starts_with("HTTP/1.1 200");
    let seen = match (begun, stream) {
        (false, _) => Seen::Nothing,
        (true, true) if text.contains("data: [DONE]") => Seen::Whole,
        (true, true) if text.contains(r#""type":"upstream_"#) => Seen::ToldBroken,
        (true, false) if whole && is_whole_body(&text) => Seen::Whole,
        _ => Seen::Broken,
    };
    (id, seen)
}

/// Waits until the counters say that all is over, and holds them to the law.
pub(crate) async fn settle(up: &Up, requests: usize) {
    let requests = u64::try_from(requests).expect("a count");
    let looking = async {
        loop {
            let text = ask(&up.ops, "GET", "/metrics", "").await;
            let of = |name: &str| metric(&text, &format!("streamgauge_{name}"));
            let [finished, written] = [of("records_finished_total"), of("records_written_total")];
            let rest = of("record_queue_length") + of("records_dropped_total");
            assert_eq!(finished, written + rest, "finished == written + queued + dropped");
            let idle = of("num_requests_running") + of("num_requests_waiting") == 0;
            if finished == requests && written == requests && idle {
                assert!(
                    text.contains("streamgauge_in_flight_difference 0\n"),
                    "nothing is leaked"
                );
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = timeout(DEADLINE, looking).await;
    assert!(
        settled.is_ok(),
        "waited for {requests} records; log: {:#?}",
        up.log()
    );
}

/// Compares what clients saw with what the records say, and prints both.
#[expect(
    clippy::print_stdout,
    reason = "the table is what the long runs of scripts/chaos.sh are for"
)]
async fn judge(up: &Up, seen: &HashMap<String, Seen>) {
    let records = records(up).await;
    assert_eq!(records.len(), seen.len(), "a row for each request");
    let mut table: BTreeMap<(Seen, &str), usize> = BTreeMap::new();
    let (mut attempts, mut repeated) = (BTreeMap::<&str, usize>::new(), 0);
    for record in &records {
        let seen = seen[record.id.as_ref()];
        *table.entry((seen, record.outcome.as_str())).or_default() += 1;
        repeated += usize::from(record.attempts.0 > 1);
        for attempt in &record.attempt_log {
            *attempts.entry(attempt.end.as_str()).or_default() += 1;
        }
        let right = match seen {
            Seen::Whole => record.outcome == Outcome::Success,
            Seen::ToldBroken | Seen::Broken => matches!(
                record.outcome,
                Outcome::UpstreamTruncated | Outcome::TimeoutIdle | Outcome::UpstreamError
            ),
            Seen::Nothing => false,
        };
        if !right {
            println!(
                "{seen:?}: {} {:?} {:?}",
                record.id, record.outcome, record.attempt_log
            );
        }
    }
    println!(
        "{} requests, {repeated} of them with more than one attempt",
        records.len()
    );
    for ((seen, outcome), count) in &table {
        println!(
            "  {count:>7}  client saw {seen:<12} record says {outcome}",
            seen = format!("{seen:?}")
        );
    }
    println!("  attempts of those: {attempts:?}");
    let nothing: usize = table
        .iter()
        .filter(|((seen, _), _)| *seen == Seen::Nothing)
        .map(|(_, count)| count)
        .sum();
    assert_eq!(nothing, 0, "errors for requests that had received nothing");
    let success = |outcome: &str| outcome == Outcome::Success.as_str();
    let wrong = table
        .keys()
        .filter(|(seen, outcome)| (*seen == Seen::Whole) != success(outcome))
        .count();
    assert_eq!(wrong, 0, "outcomes that are not what the client saw");
    assert!(repeated > 0, "the replicas were tormented");
}
