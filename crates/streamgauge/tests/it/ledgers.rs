//! Commands on the ledger of a running streamgauge, and after it has ended.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use simulator::{Settings, Simulator, TokenRange, wait_until};
use tokio::process::Command;

use crate::exchange::{STREAM, post, record, start};
use crate::up::{DEADLINE, Up, ask};

async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        tokens: TokenRange { min: 3, max: 3 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// Runs a command on the ledger of `up`: its exit code, and what it printed as JSON or, refused, as text.
async fn run(up: &Up, arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_streamgauge"))
        .args(arguments)
        .args(["--json", "--ledger", &up.ledger])
        .env_clear()
        .output()
        .await
        .expect("the binary starts");
    let printed = serde_json::from_slice(&output.stdout);
    let printed = printed.unwrap_or_else(|_| String::from_utf8_lossy(&output.stderr).into_owned().into());
    (output.status.code().expect("no signal"), printed)
}

#[tokio::test]
async fn a_running_ledger_is_backed_up_checked_and_restored() {
    let replica = replica().await;
    let mut up = start(&[replica.url()], "").await;
    for id in ["a", "b", "c"] {
        post(&up, id, STREAM).await;
    }
    record(&up, "c").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db").display().to_string();
    let (code, made) = run(&up, &["backup", &file]).await;
    assert_eq!((code, &made["requests"]), (0, &3.into()), "{made}");
    let (code, refused) = run(&up, &["backup", &file]).await;
    assert_eq!(code, 1, "it is there already: {refused}");
    assert_eq!(run(&up, &["backup", &file, "--force"]).await.0, 0);
    let (code, checked) = run(&up, &["ledger", "check", "--full"]).await;
    assert_eq!(
        (code, &checked["sound"], &checked["requests"]),
        (0, &true.into(), &3.into()),
        "{checked}"
    );
    let (code, stats) = run(&up, &["ledger", "stats"]).await;
    assert_eq!(
        (code, &stats["requests"], &stats["names"]["model"]),
        (0, &3.into(), &1.into()),
        "{stats}"
    );
    for command in [&["ledger", "prune"][..], &["ledger", "restore", &file][..]] {
        let (code, refused) = run(&up, command).await;
        assert_eq!(code, 1, "a proxy has the ledger: {refused}");
        assert!(refused.to_string().contains("another proxy"), "{refused}");
    }
    post(&up, "d", STREAM).await;
    up.signal(Signal::TERM);
    assert!(up.ended().await.success(), "log: {:#?}", up.log());
    let (code, pruned) = run(&up, &["ledger", "prune"]).await;
    assert_eq!((code, &pruned["deleted"]), (0, &0.into()), "{pruned}");
    assert_eq!(run(&up, &["ledger", "stats"]).await.1["requests"], 4);
    let (code, restored) = run(&up, &["ledger", "restore", &file]).await;
    assert_eq!((code, &restored["requests"]), (0, &3.into()), "{restored}");
    let kept = restored["kept"].as_str().expect("what was there is kept");
    assert!(Path::new(kept).exists(), "{kept}");
    let (_, stats) = run(&up, &["ledger", "stats"]).await;
    assert_eq!(stats["requests"], 3, "{stats}");
    let other = ["ledger", "stats", "--ledger", "postgres://h/d"];
    let refused = Command::new(env!("CARGO_BIN_EXE_streamgauge"))
        .args(other)
        .env_clear()
        .output()
        .await;
    assert_ne!(refused.expect("the binary starts").status.code(), Some(0));
}

#[tokio::test]
async fn backups_are_made_by_themselves_and_the_newest_stay() {
    let replica = replica().await;
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("backups");
    let config = format!(
        "ledger: {{ backup: {{ every: 1s, to: {}, keep: 2 }} }}",
        to.display()
    );
    let up = start(&[replica.url()], &config).await;
    post(&up, "a", STREAM).await;
    let names = || {
        let entries = std::fs::read_dir(&to).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.ends_with(".partial"))
            .collect();
        names.sort();
        names
    };
    let mut first = None;
    let thinned = || {
        let names = names();
        first = first.take().or_else(|| names.first().cloned());
        first.is_some() && names.len() == 2 && !names.contains(first.as_ref().unwrap())
    };
    wait_until("the first backup to give way", DEADLINE, thinned)
        .await
        .expect("backups");
    let health = ask(&up.ops, "GET", "/healthz", "").await;
    let health: Value = serde_json::from_str(health.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(health["status"], "ok", "{health}");
    assert!(health["ledger"]["last_backup_at"].is_i64(), "{health}");
    assert_eq!(health["ledger"]["backup_error"], Value::Null);
    let metrics = ask(&up.ops, "GET", "/metrics", "").await;
    assert!(
        metrics.contains(r#"streamgauge_ledger_backups_total{result="made"}"#),
        "{metrics}"
    );
    assert!(up.stop().await.success());
}
