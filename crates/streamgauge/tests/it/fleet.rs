//! Two proxies on one PostgreSQL ledger: both on one page, and sums that are exact whoever is killed.

use std::collections::HashSet;
use std::fmt::Write as _;

use rustix::process::Signal;
use serde_json::Value;
use simulator::{Settings, Simulator, TokenRange, wait_until};

use crate::cluster::Cluster;
use crate::exchange::{STREAM, post};
use crate::up::{DEADLINE, Up, ask, send};

/// Requests of one round through one proxy.
const ROUND: usize = 40;

async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        tokens: TokenRange { min: 3, max: 3 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// A proxy of this name, with its own metrics API, on a shared ledger.
async fn proxy(name: &str, replica: &Simulator, ledger: &str, folder: &std::path::Path) -> Up {
    let mut config = String::new();
    let _ = writeln!(config, "proxy: {{ instance: {name} }}");
    let _ = writeln!(
        config,
        "identity: {{ secret: \"0123456789abcdef0123456789abcdef\" }}"
    );
    let path = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, config).expect("the folder can be written");
    let path = path.display().to_string();
    let arguments = [
        "--config",
        &path,
        "--upstream",
        &replica.url(),
        "--ledger",
        ledger,
    ];
    Up::start(&arguments).await
}

async fn round(up: &Up, name: &str) -> HashSet<String> {
    let mut ids = HashSet::new();
    for n in 0..ROUND {
        let id = format!("{name}-{n}");
        post(up, &id, STREAM).await;
        ids.insert(id);
    }
    ids
}

/// The whole number of requests that an API counts, from cells.
async fn counted(up: &Up) -> u64 {
    let answer = ask(&up.api, "GET", "/api/v1/summary?from=now-1h", "").await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let summary: Value = serde_json::from_str(body).expect("JSON");
    summary["requests"].as_u64().expect("a number")
}

async fn counts(up: &Up, wanted: usize) {
    let looking = async {
        while counted(up).await != u64::try_from(wanted).expect("small") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let looked = tokio::time::timeout(DEADLINE, looking).await;
    assert!(
        looked.is_ok(),
        "{} requests instead of {wanted}",
        counted(up).await
    );
}

/// The ids of all rows of a ledger.
async fn rows(ledger: &str) -> Vec<String> {
    let reader = ledger::Reader::open(ledger).expect("the ledger is there");
    let query = ledger::Query::window(record::UnixMillis(0), record::UnixMillis(i64::MAX >> 22));
    let page = ledger::Page {
        limit: ledger::PAGE_LIMIT_MAX,
        cursor: None,
    };
    let answer = reader.requests(&query, &page).await.expect("a page");
    assert!(answer.next.is_none(), "one page holds them all");
    answer
        .records
        .iter()
        .map(|record| record.id.to_string())
        .collect()
}

#[tokio::test]
async fn two_proxies_share_a_ledger_and_either_may_be_killed() {
    let Some(cluster) = Cluster::get() else { return };
    let database = cluster.url("postgres");
    let folder = tempfile::tempdir().expect("a folder for configurations");
    let replica = replica().await;
    let first = proxy("gauge-a", &replica, &database, folder.path()).await;
    let second = proxy("gauge-b", &replica, &database, folder.path()).await;
    let mut answered = round(&first, "a1").await;
    answered.extend(round(&second, "b1").await);
    // Each page counts what both have done.
    counts(&first, 2 * ROUND).await;
    counts(&second, 2 * ROUND).await;
    let metrics = ask(&first.api, "GET", "/metrics", "").await;
    for name in ["gauge-a", "gauge-b"] {
        assert!(
            metrics.contains(&format!("proxy=\"{name}\"")),
            "one page shows {name}"
        );
    }

    // One is killed between two batches, and its supervisor starts another under the same name.
    let killed = second.proxy_pid().expect("it runs");
    send(killed, Signal::KILL);
    answered.extend(round(&first, "a2").await);
    let restarted = || second.proxy_pid().is_some_and(|pid| pid != killed);
    wait_until("the proxy that was killed", DEADLINE, restarted)
        .await
        .expect("it is started again");
    counts(&first, 3 * ROUND).await;
    answered.extend(round(&second, "b3").await);
    counts(&first, 4 * ROUND).await;
    assert!(second.stop().await.success() && first.stop().await.success());
    let rows = rows(&database).await;
    assert_eq!(rows.len(), 4 * ROUND, "rows and cells agree");
    assert_eq!(
        rows.into_iter().collect::<HashSet<_>>(),
        answered,
        "every request once"
    );
}
