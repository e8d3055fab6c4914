//! The client's address behind proxies, cut or hashed.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use record::Name;

use super::hash::{Hasher, Kind};
use super::settings::OriginMode;

/// Most addresses of a forwarding chain that are looked at.
const HOPS_MAX: usize = 32;

/// What a record keeps of an address.
pub(super) fn shown(address: IpAddr, mode: OriginMode, hasher: &Hasher) -> Option<Name> {
    match mode {
        OriginMode::Off => None,
        OriginMode::Truncate => Some(network(address).to_string().into()),
        OriginMode::Hash => {
            let text = address.to_string();
            Some(hasher.hash(Kind::Address, text.as_bytes()).to_name())
        }
    }
}

/// The address of the client: the peer, or the rightmost address of the forwarding chain that is none of the
/// trusted proxies. What stands left of it is the client's own claim and is not believed.
pub(super) fn client(peer: IpAddr, chain: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    // Several fields are one list: https://www.rfc-editor.org/rfc/rfc9110#section-5.3
    let hops = chain
        .iter()
        .rev()
        .flat_map(|field| field.rsplit(','))
        .take(HOPS_MAX);
    for hop in hops {
        if !is_trusted(&client) {
            break;
        }
        // A hop that is no address ends what is known: the last proxy stays the client.
        let Some(address) = address(hop) else { break };
        client = address;
    }
    client
}

/// The address of a hop, with or without port and brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.parse::<IpAddr>();
    let with_port = || hop.parse::<std::net::SocketAddr>().map(|socket| socket.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare.or_else(|_| with_port())
        .ok()
        .or_else(in_brackets)
        .map(|address| address.to_canonical())
}

/// The network around an address: what is usual for statistics that should name nobody.
fn network(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, 24).trunc().into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 48).trunc().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, chain, client_is) in [
            ("203.0.113.9", &["1.1.1.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            let found = client(ip(peer), chain, &trusted);
            assert_eq!(found, ip(client_is), "{peer} {chain:?}");
        }
        let nobody = client(ip("10.0.0.1"), &["1.1.1.1"], &[]);
        assert_eq!(
            nobody,
            ip("10.0.0.1"),
            "without trusted proxies the header is nobody's word"
        );
    }

    #[test]
    fn an_address_is_kept_as_its_network_or_its_hash_or_not_at_all() {
        let hasher = Hasher::new(&Secret::new("secret"));
        let shown = |address, mode| shown(ip(address), mode, &hasher).map(|name| name.to_string());
        assert_eq!(shown("203.0.113.9", OriginMode::Off), None);
        assert_eq!(
            shown("203.0.113.9", OriginMode::Truncate).unwrap(),
            "203.0.113.0/24"
        );
        assert_eq!(
            shown("2001:db8:1:2::3", OriginMode::Truncate).unwrap(),
            "2001:db8:1::/48"
        );
        let hash = shown("203.0.113.9", OriginMode::Hash).unwrap();
        assert!(hash.len() == 16 && !hash.contains("203"), "{hash}");
    }
}
