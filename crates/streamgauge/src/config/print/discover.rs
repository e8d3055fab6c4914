//! Where replicas are found, as YAML.

use proxy::{Discover, DnsSettings, FileSettings};
use saphyr::Yaml;

use super::{limit, mapping, span, text, texts};
use crate::config::decode::{DNS_EVERY, FILE_EVERY};

pub(super) fn dns_yaml(sources: &[Discover]) -> Yaml<'static> {
    let settings = sources.iter().find_map(|source| match source {
        Discover::Dns(settings) => Some(settings.clone()),
        Discover::File(_) => None,
    });
    let settings = settings.unwrap_or_else(|| DnsSettings {
        url: String::new(),
        every: DNS_EVERY,
        servers: Vec::new(),
        networks: Vec::new(),
        max_in_flight: None,
    });
    let written = |items: &mut dyn Iterator<Item = String>| texts(&items.collect::<Vec<_>>());
    mapping([
        ("url", text(&settings.url)),
        ("every", span(settings.every)),
        (
            "servers",
            written(&mut settings.servers.iter().map(ToString::to_string)),
        ),
        (
            "networks",
            written(&mut settings.networks.iter().map(ToString::to_string)),
        ),
        ("max_in_flight", limit(settings.max_in_flight)),
    ])
}

pub(super) fn file_yaml(sources: &[Discover]) -> Yaml<'static> {
    let settings = sources.iter().find_map(|source| match source {
        Discover::File(settings) => Some(settings.clone()),
        Discover::Dns(_) => None,
    });
    let settings = settings.unwrap_or_else(|| FileSettings {
        path: "".into(),
        every: FILE_EVERY,
    });
    mapping([
        ("path", text(&settings.path.to_string_lossy())),
        ("every", span(settings.every)),
    ])
}
