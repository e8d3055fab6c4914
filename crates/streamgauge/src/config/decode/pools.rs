//! `pools`: which replicas serve, and how they are reached, probed and asked.

use std::time::Duration;

use ::proxy::{PoolSettings, ReplicaSettings, Timeouts, UsageMode};
use record::Name;

use super::resilience;
use super::values::{at_least_one, label, secret, span, usage_mode};
use crate::config::address;
use crate::config::node::{Node, Origin, Value};
use crate::config::problem::Problem;
use crate::config::reader::{Section, items, join, scalar};

/// The pool of a start without any configuration.
pub(super) fn usual(problems: &mut Vec<Problem>) -> PoolSettings {
    decode_pool(&Node::empty(), "pools[0]", problems)
}

pub(super) fn decode(node: &Node, problems: &mut Vec<Problem>) -> PoolSettings {
    let mut refuse = |origin: &Origin, message: &str| {
        let message = message.to_owned();
        problems.push(Problem {
            origin: origin.clone(),
            key: "pools".to_owned(),
            message,
        });
    };
    let nothing = Node::empty();
    let pool = match &node.value {
        Value::List(pools) => {
            if let Some(second) = pools.get(1) {
                refuse(
                    &second.origin,
                    "this version serves one pool; put all replicas into the first",
                );
            }
            pools.first().unwrap_or(&nothing)
        }
        other => {
            let found = other.kind();
            refuse(
                &node.origin,
                &format!("expected a list of pools (`- name: ...`), found {found}"),
            );
            &nothing
        }
    };
    decode_pool(pool, "pools[0]", problems)
}

fn decode_pool(node: &Node, path: &str, problems: &mut Vec<Problem>) -> PoolSettings {
    let mut pool = Section::of(path.to_owned(), Some(node), problems);
    let name = pool.value("name", Name::from("default"), problems, label);
    // vLLM's own default address, so that a start without any configuration serves the usual case.
    let usual = || {
        vec![ReplicaSettings {
            url: "http://127.0.0.1:8000".to_owned(),
            max_in_flight: None,
        }]
    };
    let replicas = pool.node("replicas");
    let replicas = replicas.map_or_else(usual, |node| {
        decode_replicas(node, &join(path, "replicas"), problems)
    });

    let mut times = pool.section("timeouts", problems);
    let timeouts = Timeouts {
        connect: times.value("connect", Duration::from_secs(2), problems, span),
        first_byte: times.value("first_byte", Duration::from_secs(600), problems, span),
        idle: times.value("idle", Duration::from_secs(120), problems, span),
        total: times.value("total", Duration::from_secs(3600), problems, span),
        keepalive: times.value("keepalive", Duration::from_secs(4), problems, span),
    };
    times.finish(problems);

    let health = resilience::health(pool.section("health", problems), problems);
    let max_in_flight = pool.optional("max_in_flight", problems, at_least_one);
    let queue = resilience::queue(pool.section("queue", problems), problems);
    let retries = resilience::retries(pool.section("retries", problems), problems);
    let usage = pool.value("usage", UsageMode::Inject, problems, usage_mode);
    let upstream_key = pool.optional("upstream_key", problems, secret);
    pool.finish(problems);
    PoolSettings {
        name,
        replicas,
        timeouts,
        health,
        max_in_flight,
        queue,
        retries,
        usage,
        upstream_key,
    }
}

fn decode_replicas(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Vec<ReplicaSettings> {
    let mut replicas: Vec<ReplicaSettings> = Vec::new();
    for (nth, item) in items(node).iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let mut max_in_flight = None;
        let url = if matches!(item.value, Value::Map(_)) {
            let mut replica = Section::of(path.clone(), Some(item), problems);
            let url = replica.optional("url", problems, address::replica);
            max_in_flight = replica.optional("max_in_flight", problems, at_least_one);
            replica.finish(problems);
            url
        } else {
            scalar(item, &path, problems, address::replica)
        };
        let Some(url) = url else { continue };
        if replicas.iter().any(|known| known.url == url) {
            let message = format!("`{url}` is listed twice; write each replica once");
            problems.push(Problem {
                origin: item.origin.clone(),
                key: path,
                message,
            });
        } else {
            replicas.push(ReplicaSettings { url, max_in_flight });
        }
    }
    if replicas.is_empty() && problems.is_empty() {
        let message = "no replica; write one like http://127.0.0.1:8000".to_owned();
        problems.push(Problem {
            origin: node.origin.clone(),
            key: path.to_owned(),
            message,
        });
    }
    replicas
}
