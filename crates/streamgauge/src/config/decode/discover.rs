//! `dns` and `file`: where more replicas of a pool are found.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ::proxy::{Discover, DnsSettings, FileSettings};

use super::values::{at_least_one, network, span};
use crate::config::address;
use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::config::reader::{Section, scalar};

/// How often a name is asked for, and a file is looked at.
pub(in crate::config) const DNS_EVERY: Duration = Duration::from_secs(10);
pub(in crate::config) const FILE_EVERY: Duration = Duration::from_secs(1);

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// The sources of one pool.
pub(super) fn decode(pool: &mut Section<'_>, problems: &mut Vec<Problem>) -> Vec<Discover> {
    let (dns, file) = (pool.node("dns"), pool.node("file"));
    let dns = dns.and_then(|node| decode_dns(node, &pool.path_of("dns"), problems));
    let file = file.and_then(|node| decode_file(node, &pool.path_of("file"), problems));
    dns.map(Discover::Dns)
        .into_iter()
        .chain(file.map(Discover::File))
        .collect()
}

/// A name: its URL, or a mapping with it.
fn decode_dns(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Option<DnsSettings> {
    let usual = |url| DnsSettings {
        url,
        every: DNS_EVERY,
        servers: Vec::new(),
        networks: Vec::new(),
        max_in_flight: None,
    };
    if matches!(node.value, Value::Scalar(_)) {
        return scalar(node, path, problems, named).map(usual);
    }
    let mut section = Section::of(path.to_owned(), Some(node), problems);
    let url = section.optional("url", problems, named);
    let every = section.value("every", DNS_EVERY, problems, span);
    let servers = section.list("servers", problems, server);
    let networks = section.list("networks", problems, network);
    let max_in_flight = section.optional("max_in_flight", problems, at_least_one);
    section.finish(problems);
    let settings = DnsSettings {
        every,
        servers: servers.unwrap_or_default(),
        networks: networks.unwrap_or_default(),
        max_in_flight,
        ..usual(url.clone().unwrap_or_default())
    };
    if url.is_none() {
        let says = "these keys are about replicas behind a name, and there is none";
        let form = "write dns: http://vllm.default.svc:8000, or url: with it";
        refuse_lonely(
            settings != usual(String::new()),
            node,
            path,
            (says, form),
            problems,
        );
    }
    url.map(|_| settings)
}

/// A file: its path, or a mapping with it.
fn decode_file(node: &Node, at: &str, problems: &mut Vec<Problem>) -> Option<FileSettings> {
    let file = |text: &str| Ok(PathBuf::from(text));
    if matches!(node.value, Value::Scalar(_)) {
        let every = FILE_EVERY;
        return scalar(node, at, problems, file).map(|path| FileSettings { path, every });
    }
    let mut section = Section::of(at.to_owned(), Some(node), problems);
    let path = section.optional("path", problems, file);
    let every = section.value("every", FILE_EVERY, problems, span);
    section.finish(problems);
    if path.is_none() {
        let says = "these keys are about replicas in a file, and none is named";
        refuse_lonely(
            every != FILE_EVERY,
            node,
            at,
            (says, "write file: replicas.yaml, or path: with it"),
            problems,
        );
    }
    Some(FileSettings { path: path?, every })
}

/// Keys that say something other than the page of defaults, beside a name that is missing.
fn refuse_lonely(
    is_lonely: bool,
    node: &Node,
    path: &str,
    (says, form): (&str, &str),
    problems: &mut Vec<Problem>,
) {
    if is_lonely && problems.is_empty() {
        problems.push(Problem {
            origin: node.origin.clone(),
            key: path.to_owned(),
            message: format!("{says}; {form}"),
        });
    }
}

/// The URL of replicas behind a name.
fn named(text: &str) -> Result<String, String> {
    let url = address::replica(text)?;
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    if host.parse::<SocketAddr>().is_ok() {
        return Err(format!(
            "`{text}` is an address and no name; write it under `replicas`"
        ));
    }
    Ok(url)
}

/// A name server: an address, its port where that is not 53.
fn server(text: &str) -> Result<SocketAddr, String> {
    let alone = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    text.parse().or(alone).map_err(|_| {
        format!("`{text}` is not the address of a name server; write it like 10.96.0.10 or 127.0.0.1:8600")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_servers_are_read_and_nonsense_is_refused_with_the_form() {
        assert_eq!(
            named("http://llm.default.svc:8000").unwrap(),
            "http://llm.default.svc:8000"
        );
        assert_eq!(
            named("https://_http._tcp.llm").unwrap(),
            "https://_http._tcp.llm:443"
        );
        for (text, hint) in [
            ("llm:8000", "write http://llm:8000"),
            ("http://10.0.0.1:8000", "`replicas`"),
        ] {
            assert!(named(text).unwrap_err().contains(hint), "{text}");
        }
        assert_eq!(server("10.96.0.10").unwrap().to_string(), "10.96.0.10:53");
        assert_eq!(server("[::1]:8600").unwrap().to_string(), "[::1]:8600");
        assert!(server("dns.local").unwrap_err().contains("10.96.0.10"));
    }
}
