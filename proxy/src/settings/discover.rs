//! Where replicas are found.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::ReplicaSettings;

/// Where replicas are found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Discover {
    /// By name.
    Dns(DnsSettings),
    /// In a file.
    File(FileSettings),
}

/// Replicas behind a name: one for each of its addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsSettings {
    /// The URL of each replica but for the address. A host that begins with `_` is the name of SRV records,
    /// which have ports of their own.
    pub url: String,
    /// How often the name is asked for.
    pub every: Duration,
    /// Servers to ask; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// The networks that replicas may be in; empty: all that can hold one
    /// ([`may_hold_replicas`](Self::may_hold_replicas)).
    pub networks: Vec<IpNet>,
    /// Requests that may be with each of them at once; `None` is no limit.
    pub max_in_flight: Option<usize>,
}

/// Replicas in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileSettings {
    /// The file: a list as under `replicas`.
    pub path: PathBuf,
    /// How often it is looked at.
    pub every: Duration,
}

/// Reads a file of replicas, on a thread that may block. `Err` holds every complaint, a line each.
pub type ReadReplicas = Box<dyn Fn(&Path, &str) -> Result<Vec<ReplicaSettings>, Vec<String>> + Send + Sync>;

// === impl Discover ===

impl Discover {
    /// Its kind, for labels.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::File(_) => "file",
        }
    }
}

impl fmt::Display for Discover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(settings) => write!(f, "the name {}", settings.url),
            Self::File(settings) => write!(f, "the file {}", settings.path.display()),
        }
    }
}

// === impl DnsSettings ===

impl DnsSettings {
    /// Whether an address that a name has may be a replica's. Without `networks`, everything may but this
    /// machine, link-local addresses (where clouds keep the credentials of machines) and those that are no
    /// single machine's: a name server must not be able to turn the proxy against its surroundings.
    #[must_use]
    pub fn may_hold_replicas(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if !self.networks.is_empty() {
            return self.networks.iter().any(|network| network.contains(&address));
        }
        let local = match address {
            IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        !(local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(networks: &[&str]) -> DnsSettings {
        DnsSettings {
            url: "http://llm:8000".to_owned(),
            every: Duration::from_secs(10),
            servers: Vec::new(),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
            max_in_flight: None,
        }
    }

    #[test]
    fn a_name_cannot_point_the_proxy_at_its_own_surroundings() {
        let open = dns(&[]);
        let may = |settings: &DnsSettings, text: &str| settings.may_hold_replicas(text.parse().unwrap());
        for address in [
            "10.0.0.1",
            "192.168.3.4",
            "172.20.0.9",
            "203.0.113.7",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert!(may(&open, address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!may(&open, address), "{address}");
        }
        let narrow = dns(&["10.1.0.0/16", "127.0.0.0/8"]);
        assert!(may(&narrow, "10.1.2.3") && may(&narrow, "127.0.0.1"));
        assert!(!may(&narrow, "10.2.0.1"));
    }
}
