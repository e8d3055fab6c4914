//! All of it together: from a head and a few fields of a body to what the record keeps.

use std::net::IpAddr;

use http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use record::{Identity, Name};

use super::hash::{Hasher, Kind};
use super::keys::{KeyNames, key_of};
use super::secret::{Secret, SecretError};
use super::settings::{IdentitySettings, OriginMode, TagSource, UserMode};
use super::tags::{cleaned, tags_of};
use super::{origin, sdk};

/// Longest user id that is kept in plain, in characters.
const USER_LEN_MAX: usize = 128;

/// Longest id of a user or session that is hashed, in bytes: a longer one is a mistake or an attack.
const ID_LEN_MAX: usize = 4 * 1024;

/// Headers that name a conversation, the clearest first: vLLM's, and what agents send to OpenAI.
const SESSION_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("x-conversation-id"),
];

/// Tells requests apart, by one configuration.
#[derive(Debug)]
pub(crate) struct Identifier {
    hasher: Hasher,
    keys: KeyNames,
    user: UserMode,
    user_header: Option<HeaderName>,
    origin: OriginMode,
    trusted: Vec<IpNet>,
    tags: Vec<(Name, TagSource)>,
}

/// What a request's body says about who asked. Borrowed: nothing of it is kept but its hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish<'a> {
    /// The end user's id.
    pub(crate) user: Option<&'a [u8]>,
    /// The conversation's id.
    pub(crate) session: Option<&'a [u8]>,
}

// === impl Identifier ===

impl Identifier {
    /// Reads or makes the secret. Called at start.
    ///
    /// # Errors
    /// When the configured secret cannot be had.
    pub(crate) fn new(settings: &IdentitySettings) -> Result<Self, SecretError> {
        let hasher = Hasher::new(&Secret::load(&settings.secret)?);
        Ok(Self {
            keys: KeyNames::new(&settings.keys, &hasher),
            hasher,
            user: settings.user,
            user_header: settings.user_header.clone(),
            origin: settings.origin,
            trusted: settings.trusted_proxies.clone(),
            tags: settings.tags.clone(),
        })
    }

    /// What a request's head says. `peer` is the address at the other end of the connection.
    pub(crate) fn head(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Identity {
        let value = |name: &HeaderName| headers.get(name).map(|value| value.as_bytes().trim_ascii());
        let user = self.user_header.as_ref().and_then(value);
        let session = SESSION_HEADERS.iter().find_map(value);
        let mut identity = Identity {
            key: key_of(headers).map(|key| self.keys.shown(key, &self.hasher)),
            sdk: sdk::sdk(headers),
            sdk_retry: sdk::retries(headers),
            client_net: peer.filter(|_| self.origin != OriginMode::Off).and_then(|peer| {
                let chain = headers.get_all("x-forwarded-for").into_iter();
                let chain: Vec<_> = chain.filter_map(|field| field.to_str().ok()).collect();
                let client = origin::client(peer, &chain, &self.trusted);
                origin::shown(client, self.origin, &self.hasher)
            }),
            tags: tags_of(&self.tags, headers),
            ..Identity::default()
        };
        self.body(&mut identity, Wish { user, session });
        identity
    }

    /// Adds what the body says where the head said nothing.
    pub(crate) fn body(&self, identity: &mut Identity, wish: Wish<'_>) {
        let usable = |id: &&[u8]| (1..=ID_LEN_MAX).contains(&id.len());
        if identity.user.is_none() {
            identity.user = wish.user.filter(usable).and_then(|user| self.user(user));
        }
        if identity.session.is_none() {
            let session = wish.session.filter(usable);
            identity.session = session.map(|session| self.hasher.hash(Kind::Session, session).to_name());
        }
        // A key is found by its hash also where a name is shown for it.
        let hashed = identity.key.is_some()
            || identity.session.is_some()
            || (identity.user.is_some() && self.user == UserMode::Hash)
            || (identity.client_net.is_some() && self.origin == OriginMode::Hash);
        identity.hash_key_id = hashed.then(|| self.hasher.id());
    }

    fn user(&self, user: &[u8]) -> Option<Name> {
        match self.user {
            UserMode::Off => None,
            UserMode::Hash => Some(self.hasher.hash(Kind::User, user).to_name()),
            UserMode::Plain => cleaned(&String::from_utf8_lossy(user), USER_LEN_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::settings::SecretSource;
    use super::*;

    fn identifier(change: impl Fn(&mut IdentitySettings)) -> Identifier {
        let secret = SecretSource::Value(Secret::new("0123456789abcdef0123456789abcdef"));
        let mut settings = IdentitySettings::usual(secret);
        change(&mut settings);
        Identifier::new(&settings).unwrap()
    }

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    const CANARY: &str = "sk-CANARY-1";

    #[test]
    fn nothing_of_what_a_client_says_is_kept_by_default() {
        let identifier = identifier(|_| {});
        let headers = head(&[
            ("authorization", "Bearer sk-CANARY-1"),
            ("x-session-id", "sk-CANARY-1"),
            ("x-team", "sk-CANARY-1"),
        ]);
        let peer = Some("203.0.113.9".parse().unwrap());
        let mut identity = identifier.head(&headers, peer);
        identifier.body(
            &mut identity,
            Wish {
                user: Some(CANARY.as_bytes()),
                session: None,
            },
        );
        let shown = format!("{identity:?}");
        assert!(
            !shown.contains("CANARY") && !shown.contains("203.0.113"),
            "{shown}"
        );
        let three = [&identity.key, &identity.user, &identity.session].map(|hash| hash.clone().unwrap());
        assert!(three.iter().all(|hash| hash.len() == 16), "{three:?}");
        assert!(
            three[0] != three[1] && three[1] != three[2],
            "one text, three hashes: {three:?}"
        );
        assert_eq!(identity.client_net, None, "no address by default");
    }

    #[test]
    fn the_head_comes_before_the_body() {
        let identifier = identifier(|settings| {
            settings.user = UserMode::Plain;
            settings.user_header = Some(HeaderName::from_static("x-user-id"));
        });
        let body = Wish {
            user: Some(b"of the body\n"),
            session: Some(b"s2"),
        };
        let mut identity =
            identifier.head(&head(&[("x-user-id", "of the head"), ("session_id", "s1")]), None);
        let before = identity.clone();
        identifier.body(&mut identity, body);
        assert_eq!(identity, before, "who stands in front of the client knows best");
        assert_eq!(identity.user.as_deref(), Some("of the head"));
        let mut identity = identifier.head(&head(&[]), None);
        identifier.body(&mut identity, body);
        assert_eq!(identity.user.as_deref(), Some("of the body"));
        assert_ne!(identity.session, before.session);
    }

    #[test]
    fn off_is_off_and_an_endless_id_is_no_id() {
        let off = identifier(|settings| settings.user = UserMode::Off);
        let mut identity = Identity::default();
        off.body(
            &mut identity,
            Wish {
                user: Some(b"u"),
                session: Some(&[b'x'; ID_LEN_MAX + 1]),
            },
        );
        assert_eq!(identity, Identity::default());
    }
}
