//! What the keys mean: the tree in, checked settings out.
//!
//! A key is accepted only when something acts on it. The defaults stand here and in `conf/full.yaml`, which a
//! test keeps equal.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_api::Settings as ApiSettings;
use proxy::Settings as ProxySettings;
use proxy::{HealthSettings, Limits, PoolSettings, ReplicaSettings, Retention, Timeouts, UsageMode};
use record::Name;
use record::units::{parse_bytes, parse_duration};

use super::address;
use super::node::{Node, Origin, Value};
use super::problem::Problem;
use super::reader::{Section, items, join, origin_of, scalar};

/// The settings of both processes.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The proxy's; its name is [`Self::instance`] once that is known.
    pub(crate) proxy: ProxySettings,
    /// The metrics API's; its address of the proxy is [`Self::proxy_url`] once that is known.
    pub(crate) metrics_api: ApiSettings,
    /// The configured name of the proxy; `None` takes the host's name and the port.
    pub(crate) instance: Option<Name>,
    /// The configured public address of the proxy; `None` takes the port it listens on.
    pub(crate) proxy_url: Option<String>,
}

/// Reads the whole tree. The result is usable only if there are no problems.
pub(super) fn decode(root: &Node, problems: &mut Vec<Problem>) -> Config {
    let mut top = Section::of(String::new(), Some(root), problems);
    let mut ledger = top.section("ledger", problems);
    let fallback = "sqlite://data/streamgauge.db".to_owned();
    let url = ledger.value("url", fallback, problems, address::ledger);
    let overflow = ledger.value("overflow", 96 << 20, problems, some_bytes);
    let mut keep = ledger.section("keep", problems);
    let retention = Retention {
        requests: keep.value("requests", Duration::from_hours(7 * 24), problems, span),
        max_size: ledger.optional("max_size", problems, some_bytes),
    };
    keep.finish(problems);
    ledger.finish(problems);

    let section = top.section("proxy", problems);
    let (mut proxy, instance) = decode_proxy(section, (url.clone(), retention, overflow), problems);
    if let Some(pools) = top.node("pools") {
        proxy.pools = vec![decode_pools(pools, problems)];
    }
    let section = top.section("metrics_api", problems);
    let (metrics_api, proxy_url) = decode_api(section, url, problems);
    top.finish(problems);

    let config = Config {
        proxy,
        metrics_api,
        instance,
        proxy_url,
    };
    config.check_addresses(root, problems);
    config
}

fn decode_proxy(
    mut section: Section<'_>,
    (ledger, retention, overflow): (String, Retention, u64),
    problems: &mut Vec<Problem>,
) -> (ProxySettings, Option<Name>) {
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
        idle: section.value("idle", Duration::from_secs(75), problems, span),
    };
    let grace = section.value("grace", Duration::from_secs(300), problems, parse_duration);
    let shutdown_lag = section.value(
        "shutdown_lag",
        Duration::from_millis(500),
        problems,
        parse_duration,
    );
    section.finish(problems);
    let settings = ProxySettings {
        instance: Name::from(""),
        listen: listen.iter().map(SocketAddr::to_string).collect(),
        ops_listen: ops_listen.to_string(),
        inherited: Vec::new(),
        successor: false,
        overflow,
        retention,
        revision: crate::cli::REVISION.to_owned(),
        threads,
        limits,
        grace,
        shutdown_lag,
        pools: vec![decode_pool(&Node::empty(), "pools[0]", problems)],
        ledger,
    };
    (settings, instance)
}

fn decode_pools(node: &Node, problems: &mut Vec<Problem>) -> PoolSettings {
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

    let mut probe = pool.section("health", problems);
    let health = HealthSettings {
        path: probe.value("path", "/health".to_owned(), problems, absolute_path),
        interval: probe.value("interval", Duration::from_secs(2), problems, span),
        timeout: probe.value("timeout", Duration::from_secs(2), problems, span),
        failures: probe.value("failures", 3, problems, at_least_one),
    };
    probe.finish(problems);

    let usage = pool.value("usage", UsageMode::Inject, problems, usage_mode);
    let upstream_key = pool.optional("upstream_key", problems, secret);
    pool.finish(problems);
    PoolSettings {
        name,
        replicas,
        timeouts,
        health,
        usage,
        upstream_key,
    }
}

fn decode_replicas(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Vec<ReplicaSettings> {
    let mut replicas: Vec<ReplicaSettings> = Vec::new();
    for (nth, item) in items(node).iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let url = if matches!(item.value, Value::Map(_)) {
            let mut replica = Section::of(path.clone(), Some(item), problems);
            let url = replica.optional("url", problems, address::replica);
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
            replicas.push(ReplicaSettings { url });
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

fn decode_api(
    mut section: Section<'_>,
    ledger: String,
    problems: &mut Vec<Problem>,
) -> (ApiSettings, Option<String>) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 8002));
    let settings = ApiSettings {
        listen: section.value("listen", listen, problems, address::listen),
        ledger,
        cors_origins: section
            .list("cors_origins", problems, address::origin)
            .unwrap_or_default(),
        token: section.optional("token", problems, secret),
        proxy_url: String::new(),
    };
    let proxy_url = section.optional("proxy_url", problems, address::origin);
    section.finish(problems);
    (settings, proxy_url)
}

// === impl Config ===

impl Config {
    /// The proxy's settings with its name filled in.
    pub(crate) fn proxy_settings(&self) -> ProxySettings {
        let mut settings = self.proxy.clone();
        settings.instance = self.instance.clone().unwrap_or_else(|| {
            let host = rustix::system::uname();
            let port = first_port(&settings.listen);
            format!("{}:{port}", host.nodename().to_string_lossy()).into()
        });
        settings
    }

    /// The metrics API's settings with the proxy's address filled in.
    pub(crate) fn metrics_api_settings(&self) -> ApiSettings {
        let mut settings = self.metrics_api.clone();
        settings.proxy_url = self
            .proxy_url
            .clone()
            .unwrap_or_else(|| format!("http://localhost:{}", first_port(&self.proxy.listen)));
        settings
    }

    /// Two listeners of one address fail late and unclearly; say it here.
    fn check_addresses(&self, root: &Node, problems: &mut Vec<Problem>) {
        let proxies = self
            .proxy
            .listen
            .iter()
            .map(|address| (address.clone(), "proxy.listen"));
        let mut taken: Vec<(String, &str)> = Vec::new();
        let others = [
            (self.proxy.ops_listen.clone(), "proxy.ops_listen"),
            (self.metrics_api.listen.to_string(), "metrics_api.listen"),
        ];
        for (address, key) in proxies.chain(others) {
            let clash = taken
                .iter()
                .find(|(known, _)| !address.ends_with(":0") && *known == address);
            if let Some((_, other)) = clash {
                let steps: Vec<&str> = key.split('.').collect();
                let origin = origin_of(root, &steps);
                let message = format!("{address} is already the address of {other}; choose another port");
                problems.push(Problem {
                    origin,
                    key: key.to_owned(),
                    message,
                });
            }
            taken.push((address, key));
        }
    }
}

fn first_port(listen: &[String]) -> u16 {
    let first = listen.first().and_then(|text| text.parse::<SocketAddr>().ok());
    first.map_or(8001, |address| address.port())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn threads(text: &str) -> Result<usize, String> {
    if text == "auto" {
        return Ok(cores());
    }
    at_least_one(text).map_err(|_| format!("`{text}` is not a number of threads; write auto or 1, 2, 3 ..."))
}

fn at_least_one<T: std::str::FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let number = text.parse::<T>().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("`{text}` is not a whole number of at least 1"))
}

fn span(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text)?;
    if span.is_zero() {
        return Err(format!(
            "`{text}` would end everything at once; write a span like 250ms or 10s"
        ));
    }
    Ok(span)
}

fn some_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes == 0 {
        return Err("a limit of 0 bytes refuses every request; write a size like 32MiB".to_owned());
    }
    Ok(bytes)
}

fn head_bytes(text: &str) -> Result<usize, String> {
    usize::try_from(some_bytes(text)?).map_err(|_| format!("`{text}` does not fit into memory"))
}

fn label(text: &str) -> Result<Name, String> {
    let fits = (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
    if !fits {
        return Err(format!(
            "`{text}` is not a name; use 1 to 64 letters, digits, `.`, `_`, `-` or `:`"
        ));
    }
    Ok(text.into())
}

fn absolute_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.contains(char::is_whitespace) {
        return Err(format!("`{text}` is not a path; write it like /health"));
    }
    Ok(text.to_owned())
}

fn usage_mode(text: &str) -> Result<UsageMode, String> {
    match text {
        "inject" => Ok(UsageMode::Inject),
        "passthrough" => Ok(UsageMode::Passthrough),
        _ => Err(format!(
            "`{text}` is not a usage mode; write inject or passthrough"
        )),
    }
}

/// A secret goes into a header: anything else would break requests later. Never repeats the text.
fn secret(text: &str) -> Result<String, String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("the secret holds a character that no header can carry (a space or a line end?)".to_owned())
    }
}
