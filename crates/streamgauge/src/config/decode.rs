//! What the keys mean: the tree in, checked settings out.
//!
//! A key is accepted only when something acts on it. The defaults stand here and in `conf/full.yaml`, which a
//! test keeps equal.

mod discover;
mod identity;
mod ledger;
mod pools;
mod proxy;
mod resilience;
mod values;

use std::net::SocketAddr;

use ::proxy::{Goals, Settings as ProxySettings};
use metrics_api::Settings as ApiSettings;
use record::Name;

pub(super) use self::discover::{DNS_EVERY, FILE_EVERY};
pub(super) use self::pools::decode_replicas;
use self::values::{secret, span};
use super::address;
use super::node::Node;
use super::problem::Problem;
use super::reader::{Section, origin_of};

/// The settings of both processes.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The proxy's; its name is [`Self::instance`] once that is known.
    pub(crate) proxy: ProxySettings,
    /// The metrics API's; its address of the proxy is [`Self::proxy_url`] once that is known.
    pub(crate) metrics_api: ApiSettings,
    /// The configured name of the proxy; `None` takes the host's name and the port.
    pub(crate) instance: Option<Name>,
    /// A changed configuration file is read again.
    pub(crate) watch: bool,
    /// The configured public address of the proxy; `None` takes the port it listens on.
    pub(crate) proxy_url: Option<String>,
}

/// Reads the whole tree. The result is usable only if there are no problems.
pub(super) fn decode(root: &Node, problems: &mut Vec<Problem>) -> Config {
    let mut top = Section::of(String::new(), Some(root), problems);
    let ledger = top.section("ledger", problems);
    let ledger = ledger::decode(ledger, problems);
    let url = ledger.url.clone();
    let section = top.section("proxy", problems);
    let (mut proxy, instance, watch) = proxy::decode(section, ledger, problems);
    if let Some(pools) = top.node("pools") {
        proxy.pools = pools::decode(pools, problems);
    }
    proxy.slo = decode_slo(top.section("slo", problems), problems);
    proxy.identity = identity::decode(top.section("identity", problems), &url, problems);
    let section = top.section("metrics_api", problems);
    let (metrics_api, proxy_url) = decode_api(section, url, problems);
    top.finish(problems);

    let config = Config {
        proxy,
        metrics_api,
        instance,
        watch,
        proxy_url,
    };
    config.check_addresses(root, problems);
    config
}

/// The service goals; one that is not there is none.
fn decode_slo(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Goals {
    let goals = Goals {
        ttft: section.optional("ttft", problems, span),
        tpot: section.optional("tpot", problems, span),
        e2e: section.optional("e2e", problems, span),
    };
    section.finish(problems);
    goals
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
