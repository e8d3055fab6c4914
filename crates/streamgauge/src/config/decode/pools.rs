//! `pools`: which replicas serve, and how they are reached, probed and asked.

use std::time::Duration;

use ::proxy::{PoolSettings, ReplicaSettings, Timeouts, UsageMode};
use record::{Name, Policy};

use super::values::{at_least_one, label, model, policy, secret, span, usage_mode, weight, yes_or_no};
use super::{discover, resilience};
use crate::config::address;
use crate::config::node::{Node, Origin, Value};
use crate::config::problem::Problem;
use crate::config::reader::{Section, items, join, scalar};

/// The pool of a start without any configuration.
pub(super) fn usual(problems: &mut Vec<Problem>) -> PoolSettings {
    decode_pool(&Node::empty(), "pools[0]", problems)
}

pub(super) fn decode(node: &Node, problems: &mut Vec<Problem>) -> Vec<PoolSettings> {
    let Value::List(nodes) = &node.value else {
        let found = node.value.kind();
        let message = format!("expected a list of pools (`- name: ...`), found {found}");
        refuse(&node.origin, "pools", message, problems);
        return Vec::new();
    };
    if nodes.is_empty() {
        let message = "no pool; leave the key out for the usual one, or write `- replicas: [...]`";
        refuse(&node.origin, "pools", message.to_owned(), problems);
    }
    let mut pools: Vec<PoolSettings> = Vec::new();
    for (nth, node) in nodes.iter().enumerate() {
        let path = format!("pools[{nth}]");
        let pool = decode_pool(node, &path, problems);
        if pools.iter().any(|known| known.name == pool.name) {
            let message = format!(
                "another pool is called `{}` already; give each its own name",
                pool.name
            );
            refuse(&node.origin, &join(&path, "name"), message, problems);
        }
        pools.push(pool);
    }
    pools
}

fn refuse(origin: &Origin, key: &str, message: String, problems: &mut Vec<Problem>) {
    problems.push(Problem {
        origin: origin.clone(),
        key: key.to_owned(),
        message,
    });
}

fn decode_pool(node: &Node, path: &str, problems: &mut Vec<Problem>) -> PoolSettings {
    let mut pool = Section::of(path.to_owned(), Some(node), problems);
    let name = pool.value("name", Name::from("default"), problems, label);
    // vLLM's own default address, so that a start without any configuration serves the usual case.
    let usual = || vec![at("http://127.0.0.1:8000".to_owned())];
    let models = pool.list("models", problems, model);
    let aliases = pool.node("aliases");
    let aliases = aliases.map_or_else(Vec::new, |node| {
        decode_aliases(node, &join(path, "aliases"), problems)
    });
    let balance = pool.value("balance", Policy::Prefix, problems, policy);
    let replicas = pool.node("replicas");
    let discover = discover::decode(&mut pool, problems);
    let replicas = match replicas {
        Some(node) if items(node).is_empty() && !discover.is_empty() => Vec::new(),
        Some(node) => decode_replicas(node, &join(path, "replicas"), problems),
        None if discover.is_empty() => usual(),
        None => Vec::new(),
    };

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
        models: models.unwrap_or_default(),
        aliases,
        balance,
        replicas,
        discover,
        timeouts,
        health,
        max_in_flight,
        queue,
        retries,
        usage,
        upstream_key,
    }
}

/// Other names of models: `{ alias: model }`.
fn decode_aliases(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Vec<(Name, Name)> {
    let Value::Map(entries) = &node.value else {
        let message = "expected a mapping of names: { gpt-4o: meta-llama/Llama-3.3-70B-Instruct }";
        refuse(&node.origin, path, message.to_owned(), problems);
        return Vec::new();
    };
    let mut aliases = Vec::new();
    for entry in entries {
        let path = format!("{path}.{}", entry.key);
        let alias = scalar(
            &Node::scalar(&*entry.key, entry.origin.clone()),
            &path,
            problems,
            model,
        );
        let real = scalar(&entry.node, &path, problems, model);
        aliases.extend(alias.zip(real));
    }
    aliases
}

/// A list of replicas, under `replicas` or in a file of its own.
pub(in crate::config) fn decode_replicas(
    node: &Node,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Vec<ReplicaSettings> {
    let mut replicas: Vec<ReplicaSettings> = Vec::new();
    for (nth, item) in items(node).iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let Some(replica) = decode_replica(item, &path, problems) else {
            continue;
        };
        if replicas.iter().any(|known| known.url == replica.url) {
            let message = format!("`{}` is listed twice; write each replica once", replica.url);
            refuse(&item.origin, &path, message, problems);
        } else {
            replicas.push(replica);
        }
    }
    if replicas.is_empty() && problems.is_empty() {
        let message = "no replica; write one like http://127.0.0.1:8000".to_owned();
        refuse(&node.origin, path, message, problems);
    }
    replicas
}

/// A replica: its URL, or a mapping with it.
fn decode_replica(item: &Node, path: &str, problems: &mut Vec<Problem>) -> Option<ReplicaSettings> {
    if !matches!(item.value, Value::Map(_)) {
        let url = scalar(item, path, problems, address::replica)?;
        return Some(at(url));
    }
    let mut replica = Section::of(path.to_owned(), Some(item), problems);
    let url = replica.optional("url", problems, address::replica);
    let weight = replica.value("weight", 1, problems, weight);
    let max_in_flight = replica.optional("max_in_flight", problems, at_least_one);
    let drain = replica.value("drain", false, problems, yes_or_no);
    replica.finish(problems);
    if url.is_none() && problems.is_empty() {
        let message = "no url; write { url: http://10.0.0.1:8000 }".to_owned();
        refuse(&item.origin, path, message, problems);
    }
    Some(ReplicaSettings {
        weight,
        max_in_flight,
        drain,
        ..at(url?)
    })
}

/// A replica of which nothing but its URL is said.
fn at(url: String) -> ReplicaSettings {
    ReplicaSettings {
        url,
        address: None,
        weight: 1,
        max_in_flight: None,
        drain: false,
    }
}
