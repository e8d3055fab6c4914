//! What is configured about identity: plain values, already checked.

use std::path::PathBuf;

use http::HeaderName;
use ipnet::IpNet;
use record::Name;

use super::secret::Secret;

/// How requests are told apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentitySettings {
    /// Where the secret behind the hashes comes from.
    pub secret: SecretSource,
    /// Names of API keys, shown in place of their hash.
    pub keys: Vec<NamedKey>,
    /// What is kept of the end user's id.
    pub user: UserMode,
    /// The header that names the end user, before the body does; `None` looks at the body only.
    pub user_header: Option<HeaderName>,
    /// What is kept of the client's address.
    pub origin: OriginMode,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Labels of the operator's own: name, and where the value comes from.
    pub tags: Vec<(Name, TagSource)>,
}

/// Where the secret comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// It stands in the configuration.
    Value(Secret),
    /// It must be in this file.
    File(PathBuf),
    /// It is in this file, which is made at the first start.
    Made(PathBuf),
}

/// A name for an API key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedKey {
    /// The name in records and on the screen.
    pub name: Name,
    /// Which key it is.
    pub key: KeyMatch,
}

/// How a configuration says which key it means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyMatch {
    /// The key itself.
    Plain(Secret),
    /// Its SHA-256, so that the key need not stand in the configuration.
    Sha256([u8; 32]),
    /// The hash that records and the dashboard show for it.
    Shown(u64),
}

/// What is kept of the end user's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserMode {
    /// A keyed hash.
    Hash,
    /// The id as it came, for installations whose ids name nobody.
    Plain,
    /// Nothing.
    Off,
}

/// What is kept of the client's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OriginMode {
    /// Nothing.
    Off,
    /// Its network: `/24` of IPv4, `/48` of IPv6.
    Truncate,
    /// A keyed hash.
    Hash,
}

/// Where a tag's value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TagSource {
    /// A header of the request.
    Header(HeaderName),
    /// The same for every request.
    Static(Name),
}

// === impl IdentitySettings ===

impl IdentitySettings {
    /// Hashes only, with a secret of its own in `secret`: what holds when nothing is configured.
    #[must_use]
    pub fn usual(secret: SecretSource) -> Self {
        Self {
            secret,
            keys: Vec::new(),
            user: UserMode::Hash,
            user_header: None,
            origin: OriginMode::Off,
            trusted_proxies: Vec::new(),
            tags: Vec::new(),
        }
    }
}
