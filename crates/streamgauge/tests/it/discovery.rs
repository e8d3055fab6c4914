//! Replicas that are found: by name, in a file; and a configuration file that changes by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use simulator::{Settings, Simulator, TokenRange};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::names::{Mood, NameServer};
use crate::reload::File;
use crate::supervisor::{STREAM, assert_whole, replica as slow, streaming, waited};
use crate::up::{DEADLINE, Up, ask};

/// Clients that ask without a pause while replicas come and go.
const CLIENTS: usize = 4;

async fn replica() -> Simulator {
    let settings = Settings {
        models: vec!["m".to_owned()],
        ttft: Duration::from_millis(1),
        itl: Duration::from_millis(1),
        jitter: 0.0,
        tokens: TokenRange { min: 3, max: 3 },
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// A pool that is found by name, asked for often.
fn by_name(names: &NameServer, url: &str) -> String {
    format!(
        "pools: [{{balance: round-robin, dns: {{url: '{url}', every: 20ms, servers: ['{}'], \
         networks: [127.0.0.0/8, '::1']}}}}]\n",
        names.address
    )
}

/// Waits until the page of metrics has a line.
async fn measured(up: &Up, line: &str) {
    let looking = async {
        loop {
            let text = ask(&up.ops, "GET", "/metrics", "").await;
            if text.lines().any(|have| have == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = timeout(DEADLINE, looking).await;
    assert!(found.is_ok(), "waited for {line}; log: {:#?}", up.log());
}

async fn served_by(up: &Up, replica: &Simulator) {
    let before = replica.stats().completed();
    let asking = async {
        while replica.stats().completed() == before {
            let answer = ask(&up.proxy, "POST", "/v1/chat/completions", STREAM).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    };
    let served = timeout(DEADLINE, asking).await;
    assert!(
        served.is_ok(),
        "waited for an answer of {}; log: {:#?}",
        replica.url(),
        up.log()
    );
}

fn port(replica: &Simulator) -> u16 {
    replica.addr().port()
}

fn found(count: usize, source: &str) -> String {
    format!(r#"streamgauge_discovered_replicas{{pool="default",source="{source}"}} {count}"#)
}

#[tokio::test]
async fn replicas_behind_a_name_come_and_go_and_no_request_fails() {
    let (first, second, third) = (replica().await, replica().await, replica().await);
    let names = NameServer::start().await;
    for name in ["a.llm.test", "b.llm.test"] {
        names.addresses(name, &["127.0.0.1"]);
    }
    let service = "_http._tcp.llm.test";
    names.services(
        service,
        &[
            (1, port(&first), "a.llm.test."),
            (1, port(&second), "b.llm.test."),
        ],
    );
    let file = File::new(&by_name(&names, "http://_http._tcp.llm.test"));
    let up = file.up().await;
    measured(&up, &found(2, "dns")).await;
    served_by(&up, &first).await;
    served_by(&up, &second).await;

    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (done, answered, address) = (Arc::clone(&done), Arc::clone(&answered), up.proxy.clone());
        clients.spawn(async move {
            while !done.load(Relaxed) {
                let answer = ask(&address, "POST", "/v1/chat/completions", STREAM).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(answer.contains("data: [DONE]"), "{answer}");
                answered.fetch_add(1, Relaxed);
            }
        });
    }
    // One goes and another comes, again and again.
    for turn in 0..6 {
        let (here, there) = if turn % 2 == 0 {
            (&second, &third)
        } else {
            (&first, &second)
        };
        names.services(
            service,
            &[(1, port(here), "a.llm.test."), (1, port(there), "b.llm.test.")],
        );
        let before = there.stats().completed();
        waited("the replica that came to serve", || {
            there.stats().completed() > before
        })
        .await;
    }
    done.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no client was failed");
    }
    assert!(answered.load(Relaxed) > 0);

    names.services(service, &[(1, port(&third), "a.llm.test.")]);
    measured(&up, &found(1, "dns")).await;
    let metrics = ask(&up.ops, "GET", "/metrics", "").await;
    let shown = metrics
        .lines()
        .filter(|line| line.starts_with("streamgauge_replica_up{"))
        .count();
    assert_eq!(shown, 1, "who has left is not shown: {metrics}");
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_name_server_that_fails_costs_no_replica() {
    let (first, second) = (replica().await, slow().await);
    let names = NameServer::start().await;
    names.addresses("llm.test", &["127.0.0.1", "10.255.255.1"]);
    let file = File::new(&by_name(&names, &format!("http://llm.test:{}", port(&first))));
    let up = file.up().await;
    measured(&up, &found(1, "dns")).await;
    up.logged("10.255.255.1, from the name").await;
    served_by(&up, &first).await;

    names.is(Mood::Fails);
    up.logged("pool default keeps its replicas from the name").await;
    served_by(&up, &first).await;
    names.is(Mood::Answers);
    names.addresses("llm.test", &[]);
    up.logged("no record").await;
    served_by(&up, &first).await;
    names.is(Mood::Silent);
    let asked = names.asked();
    waited("the silent name server to be asked", || names.asked() > asked).await;
    served_by(&up, &first).await;

    // The name leads elsewhere: a stream that runs goes on, with a replica that has left.
    names.is(Mood::Answers);
    let file = File::new(&by_name(&names, &format!("http://llm.test:{}", port(&second))));
    names.addresses("llm.test", &["127.0.0.1"]);
    let other = file.up().await;
    measured(&other, &found(1, "dns")).await;
    let stream = streaming(&other, &second).await;
    names.addresses("llm.test", &["127.0.0.2"]);
    other.logged("pool default has 1 replicas").await;
    assert_whole(stream).await;
    assert!(other.stop().await.success());
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn replicas_in_a_file_follow_the_file() {
    let (first, second) = (replica().await, replica().await);
    let list = File::new(&format!("- {}\n", first.url()));
    let config = File::new(&format!(
        "pools: [{{balance: round-robin, file: {{path: '{}', every: 20ms}}}}]\n",
        list.path().display()
    ));
    let up = config.up().await;
    measured(&up, &found(1, "file")).await;
    served_by(&up, &first).await;

    list.write("- {url: http://127.0.0.1:1, wieght: 2}\n");
    up.logged("did you mean `weight`?").await;
    served_by(&up, &first).await;

    list.write(&format!("- url: {}\n  weight: 3\n", second.url()));
    served_by(&up, &second).await;
    measured(&up, &found(1, "file")).await;
    let before = first.stats().completed();
    for _ in 0..3 {
        served_by(&up, &second).await;
    }
    assert_eq!(first.stats().completed(), before, "it has left");
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_changed_configuration_is_taken_over_by_itself() {
    let (first, second) = (replica().await, replica().await);
    let file = File::new(&format!("pools: [{{replicas: ['{}']}}]\n", first.url()));
    let up = Up::watching(&["--config", &file.path().display().to_string()]).await;
    served_by(&up, &first).await;
    file.write("pools: [{replcas: []}]\n");
    up.logged("did you mean `replicas`?").await;
    served_by(&up, &first).await;
    file.write(&format!("pools: [{{replicas: ['{}']}}]\n", second.url()));
    up.logged("the new configuration is in force").await;
    served_by(&up, &second).await;
    assert!(up.stop().await.success());
}
