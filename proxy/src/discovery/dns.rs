//! Replicas behind a name: one for each address, or for each SRV record and address of its target.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, rdata::SRV};

use super::{Look, REPLICAS_MAX};
use crate::settings::{DnsSettings, ReplicaSettings};

/// How long a name server has for an answer, and how often it is asked before the look has failed.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// Largest weight that a replica gets. Why this number: as in the configuration.
const WEIGHT_MAX: u32 = 1_000;

/// A name that is asked for again and again.
pub(super) struct Names<'a> {
    settings: &'a DnsSettings,
    /// Made at the first look: the system's configuration may be wrong then and right later.
    resolver: Option<TokioResolver>,
}

/// One address of a replica.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Target {
    address: SocketAddr,
    host: String,
    weight: u32,
}

/// The parts of a URL.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
}

// === impl Names ===

impl<'a> Names<'a> {
    pub(super) const fn new(settings: &'a DnsSettings) -> Self {
        Self {
            settings,
            resolver: None,
        }
    }

    /// Asks for the name.
    pub(super) async fn look(&mut self) -> Result<Look, String> {
        let resolver = match &mut self.resolver {
            Some(resolver) => resolver,
            none => none.insert(resolver(&self.settings.servers)?),
        };
        let parts = Parts::of(&self.settings.url).ok_or("its URL is not one")?;
        let targets = if parts.host.starts_with('_') {
            services(resolver, parts.host).await?
        } else {
            let target = |ip: IpAddr| Target {
                address: SocketAddr::new(ip, parts.port),
                host: parts.host.to_owned(),
                weight: 1,
            };
            let addresses = addresses(resolver, parts.host).await?;
            addresses.into_iter().map(target).collect()
        };
        Ok(found(self.settings, parts.scheme, targets))
    }
}

/// Those of the targets that may be replicas, always in the same order.
fn found(settings: &DnsSettings, scheme: &str, mut targets: Vec<Target>) -> Look {
    targets.sort_unstable();
    targets.dedup_by_key(|target| target.address);
    let (allowed, refused): (Vec<_>, Vec<_>) = targets
        .into_iter()
        .partition(|target| settings.may_hold_replicas(target.address.ip()));
    let replicas = allowed.into_iter().map(|target| ReplicaSettings {
        url: format!("{scheme}://{}:{}", target.host, target.address.port()),
        address: Some(target.address),
        weight: target.weight,
        max_in_flight: settings.max_in_flight,
        drain: false,
    });
    Look::Found {
        replicas: replicas.collect(),
        refused: refused
            .into_iter()
            .map(|target| target.address.ip().to_string())
            .collect(),
    }
}

/// A resolver that remembers nothing: we ask as often as we are told to.
fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let told = |error| format!("the system's resolver cannot be used: {error}");
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio().map_err(told)?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.cache_size = 0;
    options.timeout = PATIENCE;
    options.attempts = ATTEMPTS;
    // A pod has one address of each kind and is one replica.
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    builder.build().map_err(told)
}

async fn addresses(resolver: &TokioResolver, host: &str) -> Result<Vec<IpAddr>, String> {
    match resolver.lookup_ip(host).await {
        Ok(found) => Ok(found.iter().take(REPLICAS_MAX).collect()),
        Err(error) => Err(error.to_string()),
    }
}

/// The targets of a name's SRV records: those that come first, by their weights.
async fn services(resolver: &TokioResolver, name: &str) -> Result<Vec<Target>, String> {
    let answer = resolver
        .srv_lookup(name)
        .await
        .map_err(|error| error.to_string())?;
    let records = answer.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(service.clone()),
        _ => None,
    });
    let mut targets = Vec::new();
    for service in foremost(records.collect()) {
        let target = service.target.to_utf8();
        let host = target.trim_end_matches('.');
        for ip in addresses(resolver, &target).await? {
            targets.push(Target {
                address: SocketAddr::new(ip, service.port),
                host: host.to_owned(),
                weight: u32::from(service.weight),
            });
        }
        if targets.len() >= REPLICAS_MAX {
            break;
        }
    }
    Ok(targets)
}

/// The records of the lowest priority, their weights without a common factor (RFC 2782). Those that come
/// after them are for times when none of these is there, which only probes could tell.
fn foremost(mut services: Vec<SRV>) -> Vec<SRV> {
    let first = services.iter().map(|service| service.priority).min();
    // A target of "." says that there is no such service.
    services.retain(|service| Some(service.priority) == first && !service.target.is_root());
    let largest = services.iter().map(|service| service.weight).max().unwrap_or(0);
    let factor = services
        .iter()
        .fold(0, |factor, service| common_factor(factor, service.weight))
        .max(1);
    let step = u16::try_from((u32::from(largest / factor)).div_ceil(WEIGHT_MAX).max(1)).unwrap_or(u16::MAX);
    for service in &mut services {
        service.weight = (service.weight / factor / step).max(1);
    }
    services
}

fn common_factor(left: u16, right: u16) -> u16 {
    if right == 0 {
        left
    } else {
        common_factor(right, left % right)
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    /// The parts of a URL that has all of them, as the configuration writes it.
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, port) = rest.rsplit_once(':')?;
        Some(Self {
            scheme,
            host,
            port: port.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    fn settings(networks: &[&str]) -> DnsSettings {
        DnsSettings {
            url: "http://llm:8000".to_owned(),
            every: Duration::from_secs(10),
            servers: Vec::new(),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
            max_in_flight: Some(7),
        }
    }

    fn target(address: &str) -> Target {
        Target {
            address: address.parse().unwrap(),
            host: "llm".to_owned(),
            weight: 2,
        }
    }

    #[test]
    fn each_address_is_a_replica_once_and_in_the_same_order() {
        let answers = [
            ["10.0.0.2:8000", "10.0.0.1:8000", "10.0.0.2:8000"],
            ["10.0.0.1:8000", "10.0.0.1:8000", "10.0.0.2:8000"],
        ];
        for answer in answers {
            let Look::Found { replicas, refused } = found(&settings(&[]), "https", answer.map(target).into())
            else {
                panic!("something was found")
            };
            assert!(refused.is_empty());
            let seen: Vec<_> = replicas
                .iter()
                .map(|one| {
                    (
                        one.url.as_str(),
                        one.address.unwrap().to_string(),
                        one.weight,
                        one.max_in_flight,
                    )
                })
                .collect();
            assert_eq!(
                seen,
                [
                    ("https://llm:8000", "10.0.0.1:8000".to_owned(), 2, Some(7)),
                    ("https://llm:8000", "10.0.0.2:8000".to_owned(), 2, Some(7)),
                ]
            );
        }
    }

    #[test]
    fn addresses_that_may_not_be_replicas_are_named() {
        let all = ["10.0.0.1:1", "169.254.169.254:1", "127.0.0.1:1"].map(target);
        let Look::Found { replicas, refused } = found(&settings(&[]), "http", all.to_vec()) else {
            panic!("something was found")
        };
        assert_eq!(replicas.len(), 1);
        assert_eq!(refused, ["127.0.0.1", "169.254.169.254"]);
        let Look::Found { replicas, refused } = found(&settings(&["127.0.0.0/8"]), "http", all.to_vec())
        else {
            panic!("something was found")
        };
        assert_eq!((replicas.len(), refused.len()), (1, 2));
    }

    #[test]
    fn the_foremost_services_count_by_their_weights() {
        let service = |priority, weight, target: &str| {
            SRV::new(priority, weight, 8000, Name::from_utf8(target).unwrap())
        };
        let weights = |services: Vec<SRV>| -> Vec<u16> {
            foremost(services).iter().map(|service| service.weight).collect()
        };
        let kubernetes = vec![service(0, 33, "a."), service(0, 33, "b."), service(0, 33, "c.")];
        assert_eq!(weights(kubernetes), [1, 1, 1]);
        assert_eq!(
            weights(vec![
                service(0, 20, "a."),
                service(0, 60, "b."),
                service(1, 9, "c.")
            ]),
            [1, 3]
        );
        assert_eq!(weights(vec![service(0, 0, "a."), service(0, 0, "b.")]), [1, 1]);
        assert_eq!(weights(vec![service(0, 65_535, "a."), service(0, 1, "b.")])[1], 1);
        assert!(weights(vec![service(0, 65_535, "a."), service(0, 1, "b.")])[0] <= 1_000);
        assert!(weights(vec![service(0, 1, ".")]).is_empty(), "no such service");
        assert!(weights(Vec::new()).is_empty());
    }
}
