//! `proxy`: what the inference port accepts and how the process ends.

use std::net::SocketAddr;
use std::time::Duration;

use ::proxy::{Goals, Limits, Settings as ProxySettings};
use record::Name;
use record::units::parse_duration;

use super::ledger::LedgerKeys;
use super::values::{at_least_one, cores, head_bytes, label, some_bytes, span, threads, yes_or_no};
use super::{identity, pools};
use crate::config::address;
use crate::config::problem::Problem;
use crate::config::reader::Section;

pub(super) fn decode(
    mut section: Section<'_>,
    ledger: LedgerKeys,
    problems: &mut Vec<Problem>,
) -> (ProxySettings, Option<Name>, bool) {
    let listen = section.list("listen", problems, address::listen);
    let listen = listen.unwrap_or_else(|| vec![SocketAddr::from(([0, 0, 0, 0], 8001))]);
    let ops_listen = SocketAddr::from(([127, 0, 0, 1], 8003));
    let ops_listen = section.value("ops_listen", ops_listen, problems, address::listen);
    let instance = section.optional("instance", problems, label);
    let threads = section.value("threads", cores(), problems, threads);
    let limits = Limits {
        connections: section.value("max_connections", 20_000, problems, at_least_one),
        in_flight: section.value("max_in_flight", 10_000, problems, at_least_one),
        body: section.value("max_body", 32 << 20, problems, some_bytes),
        head: section.value("max_head", 32 << 10, problems, head_bytes),
        head_deadline: section.value("head_deadline", Duration::from_secs(10), problems, span),
        body_deadline: section.value("body_deadline", Duration::from_secs(60), problems, span),
        write_deadline: section.value("write_deadline", Duration::from_secs(60), problems, span),
        idle: section.value("idle", Duration::from_secs(75), problems, span),
    };
    let grace = section.value("grace", Duration::from_secs(300), problems, parse_duration);
    let shutdown_lag = section.value(
        "shutdown_lag",
        Duration::from_millis(500),
        problems,
        parse_duration,
    );
    let watch = section.value("watch_config", true, problems, yes_or_no);
    section.finish(problems);
    let settings = ProxySettings {
        instance: Name::from(""),
        listen: listen.iter().map(SocketAddr::to_string).collect(),
        ops_listen: ops_listen.to_string(),
        inherited: Vec::new(),
        successor: false,
        overflow: ledger.overflow,
        backup: ledger.backup,
        retention: ledger.retention,
        revision: crate::cli::REVISION.to_owned(),
        rustc: crate::cli::RUSTC.to_owned(),
        threads,
        limits,
        grace,
        shutdown_lag,
        pools: vec![pools::usual(problems)],
        identity: identity::usual(&ledger.url),
        slo: Goals::default(),
        ledger: ledger.url,
    };
    (settings, instance, watch)
}
