//! The whole configuration as YAML: for people with secrets masked, for our own children with secrets shown.

mod discover;
mod identity;

use std::time::Duration;

use ledger::masked_url;
use proxy::{BackupSettings, HealthSettings, PoolSettings, ReplicaSettings, UsageMode};
use record::units::{format_bytes, format_duration};
use saphyr::{Mapping, Scalar, Yaml, YamlEmitter};

use self::discover::{dns_yaml, file_yaml};
use self::identity::identity_yaml;
use super::decode::Config;

/// Whether secrets are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Secrets {
    /// For people: a fixed mask that says nothing about the secret, not even its length.
    Masked,
    /// For a child process, through a file that only this user can read.
    Shown,
}

const MASK: &str = "********";

// === impl Config ===

impl Config {
    /// Every key with its effective value. With secrets shown, reading it back gives the same configuration.
    pub(crate) fn to_yaml(&self, secrets: Secrets) -> String {
        let pools = self.proxy.pools.iter().map(|pool| pool_yaml(pool, secrets));
        let root = mapping([
            ("proxy", self.proxy_yaml()),
            ("pools", Yaml::Sequence(pools.collect())),
            ("metrics_api", self.metrics_api_yaml(secrets)),
            ("ledger", self.ledger_yaml(secrets)),
            ("slo", self.slo_yaml()),
            ("identity", identity_yaml(&self.proxy.identity, secrets)),
        ]);
        let mut yaml = String::new();
        // The emitter fails only where its writer fails, and a string takes everything.
        let _ = YamlEmitter::new(&mut yaml).dump(&root);
        let body = yaml.strip_prefix("---\n").unwrap_or(&yaml);
        format!("{body}\n")
    }

    fn proxy_yaml(&self) -> Yaml<'static> {
        let proxy = self.proxy_settings();
        let limits = proxy.limits;
        mapping([
            ("instance", text(&proxy.instance)),
            ("listen", texts(&proxy.listen)),
            ("ops_listen", text(&proxy.ops_listen)),
            ("threads", number(proxy.threads)),
            ("max_connections", number(limits.connections)),
            ("max_in_flight", number(limits.in_flight)),
            ("max_body", text(&format_bytes(limits.body))),
            (
                "max_head",
                text(&format_bytes(u64::try_from(limits.head).unwrap_or(u64::MAX))),
            ),
            ("head_deadline", span(limits.head_deadline)),
            ("body_deadline", span(limits.body_deadline)),
            ("write_deadline", span(limits.write_deadline)),
            ("idle", span(limits.idle)),
            ("grace", span(proxy.grace)),
            ("shutdown_lag", span(proxy.shutdown_lag)),
            ("watch_config", Yaml::Value(Scalar::Boolean(self.watch))),
        ])
    }

    fn ledger_yaml(&self, secrets: Secrets) -> Yaml<'static> {
        let url = match secrets {
            Secrets::Masked => masked_url(&self.proxy.ledger),
            Secrets::Shown => self.proxy.ledger.clone(),
        };
        let retention = self.proxy.retention;
        let max_size = retention.max_size.map_or_else(String::new, format_bytes);
        mapping([
            ("url", text(&url)),
            (
                "keep",
                mapping([
                    ("requests", span(retention.requests)),
                    ("minutes", span(retention.minutes)),
                    ("hours", span(retention.hours)),
                    ("days", span(retention.days)),
                ]),
            ),
            ("max_size", text(&max_size)),
            ("overflow", text(&format_bytes(self.proxy.overflow))),
            ("backup", backup_yaml(&self.proxy.backup)),
        ])
    }

    fn slo_yaml(&self) -> Yaml<'static> {
        let goal = |goal: Option<Duration>| goal.map_or(Yaml::Value(Scalar::Null), span);
        let goals = self.proxy.slo;
        mapping([
            ("ttft", goal(goals.ttft)),
            ("tpot", goal(goals.tpot)),
            ("e2e", goal(goals.e2e)),
        ])
    }

    fn metrics_api_yaml(&self, secrets: Secrets) -> Yaml<'static> {
        let api = self.metrics_api_settings();
        mapping([
            ("listen", text(&api.listen.to_string())),
            ("cors_origins", texts(&api.cors_origins)),
            ("token", secret(api.token.as_deref(), secrets)),
            ("proxy_url", text(&api.proxy_url)),
        ])
    }
}

fn pool_yaml(pool: &PoolSettings, secrets: Secrets) -> Yaml<'static> {
    let mut aliases = Mapping::new();
    for (alias, model) in &pool.aliases {
        aliases.insert(text(alias), text(model));
    }
    let usage = match pool.usage {
        UsageMode::Inject => "inject",
        UsageMode::Passthrough => "passthrough",
        UsageMode::Continuous => "continuous",
    };
    mapping([
        ("name", text(&pool.name)),
        (
            "models",
            Yaml::Sequence(pool.models.iter().map(|model| text(model)).collect()),
        ),
        ("aliases", Yaml::Mapping(aliases)),
        ("balance", text(pool.balance.as_str())),
        (
            "replicas",
            Yaml::Sequence(pool.replicas.iter().map(replica_yaml).collect()),
        ),
        ("dns", dns_yaml(&pool.discover)),
        ("file", file_yaml(&pool.discover)),
        (
            "timeouts",
            mapping([
                ("connect", span(pool.timeouts.connect)),
                ("first_byte", span(pool.timeouts.first_byte)),
                ("idle", span(pool.timeouts.idle)),
                ("total", span(pool.timeouts.total)),
                ("keepalive", span(pool.timeouts.keepalive)),
            ]),
        ),
        ("health", health_yaml(&pool.health)),
        ("max_in_flight", limit(pool.max_in_flight)),
        (
            "queue",
            mapping([
                ("max", number(pool.queue.max)),
                ("timeout", span(pool.queue.timeout)),
            ]),
        ),
        (
            "retries",
            mapping([
                ("attempts", count(pool.retries.attempts)),
                ("percent", count(pool.retries.percent)),
            ]),
        ),
        ("usage", text(usage)),
        ("upstream_key", secret(pool.upstream_key.as_deref(), secrets)),
    ])
}

/// Its URL alone where nothing else is said.
fn replica_yaml(replica: &ReplicaSettings) -> Yaml<'static> {
    if replica.max_in_flight.is_none() && !replica.drain && replica.weight == 1 {
        return text(&replica.url);
    }
    mapping([
        ("url", text(&replica.url)),
        ("weight", count(replica.weight)),
        ("max_in_flight", limit(replica.max_in_flight)),
        ("drain", Yaml::Value(Scalar::Boolean(replica.drain))),
    ])
}

fn backup_yaml(backup: &BackupSettings) -> Yaml<'static> {
    mapping([
        (
            "every",
            text(&backup.every.map_or_else(String::new, format_duration)),
        ),
        ("to", text(&backup.to.to_string_lossy())),
        ("keep", number(backup.keep)),
    ])
}

fn health_yaml(health: &HealthSettings) -> Yaml<'static> {
    mapping([
        ("path", text(&health.path)),
        ("interval", span(health.interval)),
        ("timeout", span(health.timeout)),
        ("passes", count(health.passes)),
        ("failures", count(health.failures)),
        ("eject_after", count(health.eject_after)),
        ("eject_for", span(health.eject_for)),
        ("eject_max", span(health.eject_max)),
        ("slow_factor", count(health.slow_factor)),
        ("panic_percent", count(health.panic_percent)),
    ])
}

pub(super) fn mapping<const N: usize>(entries: [(&'static str, Yaml<'static>); N]) -> Yaml<'static> {
    let mut map = Mapping::new();
    for (key, value) in entries {
        map.insert(text(key), value);
    }
    Yaml::Mapping(map)
}

pub(super) fn text(text: &str) -> Yaml<'static> {
    Yaml::Value(Scalar::String(text.to_owned().into()))
}

pub(super) fn texts(items: &[String]) -> Yaml<'static> {
    Yaml::Sequence(items.iter().map(|item| text(item)).collect())
}

fn number(count: usize) -> Yaml<'static> {
    Yaml::Value(Scalar::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn count(count: impl Into<i64>) -> Yaml<'static> {
    Yaml::Value(Scalar::Integer(count.into()))
}

/// A limit; empty when there is none.
fn limit(limit: Option<usize>) -> Yaml<'static> {
    limit.map_or_else(|| text(""), number)
}

fn span(span: Duration) -> Yaml<'static> {
    text(&format_duration(span))
}

pub(super) fn secret(secret: Option<&str>, secrets: Secrets) -> Yaml<'static> {
    match (secret, secrets) {
        (None, _) => Yaml::Value(Scalar::Null),
        (Some(_), Secrets::Masked) => text(MASK),
        (Some(secret), Secrets::Shown) => text(secret),
    }
}
