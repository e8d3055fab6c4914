//! SIGHUP: the running proxy takes over another configuration, and no client notices.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::Signal;
use simulator::{Settings, Simulator, TokenRange};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::supervisor::{STREAM, assert_whole, replica, streaming, waited};
use crate::up::{Up, ask};

/// How many reloads a load has to live through.
const RELOADS: usize = 100;

/// Clients that ask without a pause meanwhile.
const CLIENTS: usize = 8;

/// A configuration file that can be written again.
pub(crate) struct File {
    path: PathBuf,
    _folder: TempDir,
}

// === impl File ===

impl File {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the file");
        let file = Self {
            path: folder.path().join("a.yaml"),
            _folder: folder,
        };
        file.write(text);
        file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.path, text).expect("the file is written");
    }

    pub(crate) async fn up(&self) -> Up {
        Up::start(&["--config", &self.path.display().to_string()]).await
    }
}

/// One pool of these replicas.
fn pool(replicas: &[&Simulator]) -> String {
    let urls: Vec<String> = replicas.iter().map(|replica| replica.url()).collect();
    format!("pools: [{{replicas: ['{}']}}]\n", urls.join("', '"))
}

/// Reloads until now that went well.
fn taken_over(up: &Up) -> usize {
    let log = up.log();
    log.iter()
        .filter(|line| line.contains("configuration is in force"))
        .count()
}

/// Sends SIGHUP and waits until the proxy has taken over what the file says now.
pub(crate) async fn reload(up: &Up) {
    let before = taken_over(up);
    up.signal(Signal::HUP);
    waited("the new configuration to be in force", || taken_over(up) > before).await;
}

#[tokio::test]
async fn a_reload_takes_a_right_file_and_refuses_a_wrong_one() {
    let (first, second) = (replica().await, replica().await);
    let file = File::new(&pool(&[&first]));
    let up = file.up().await;
    let pid = up.proxy_pid();

    file.write("pools: [{replcas: []}]\n");
    up.signal(Signal::HUP);
    up.logged("did you mean `replicas`?").await;
    let served = first.stats().requests();
    ask(&up.proxy, "POST", "/v1/chat/completions", STREAM).await;
    assert!(first.stats().requests() > served, "the old configuration goes on");

    let stream = streaming(&up, &first).await;
    file.write(&pool(&[&second]));
    reload(&up).await;
    assert_eq!(up.proxy_pid(), pid, "the same process serves on");
    let answer = ask(&up.proxy, "POST", "/v1/chat/completions", STREAM).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(second.stats().completed(), 1, "the new replica answered");
    assert_whole(stream).await;

    let metrics = ask(&up.ops, "GET", "/metrics", "").await;
    assert!(
        metrics.contains(r#"streamgauge_config_reloads_total{result="success"} 1"#),
        "{metrics}"
    );
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_hundred_reloads_under_load_fail_nobody() {
    let quick = Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(2),
        itl: Duration::from_millis(2),
        jitter: 0.0,
        tokens: TokenRange { min: 5, max: 5 },
        ..Settings::default()
    };
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Simulator::start(quick.clone()).await.expect("a free port"));
    }
    let file = File::new(&pool(&replicas.iter().collect::<Vec<_>>()));
    let up = file.up().await;

    let (done, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (done, served, address) = (Arc::clone(&done), Arc::clone(&served), up.proxy.clone());
        clients.spawn(async move {
            while !done.load(Relaxed) {
                let answer = ask(&address, "POST", "/v1/chat/completions", STREAM).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(answer.contains("data: [DONE]"), "{answer}");
                served.fetch_add(1, Relaxed);
            }
        });
    }
    for nth in 0..RELOADS {
        // Each replica is taken out and put back again and again, under requests.
        let left_out = nth % replicas.len();
        let rest = replicas.iter().enumerate().filter(|(at, _)| *at != left_out);
        let rest: Vec<_> = rest.map(|(_, replica)| replica).collect();
        file.write(&pool(&rest));
        reload(&up).await;
    }
    done.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        assert!(client.is_ok(), "{client:?}");
    }
    let served = served.load(Relaxed);
    assert!(served > RELOADS, "only {served} requests in {RELOADS} reloads");
    assert!(up.stop().await.success());
}
