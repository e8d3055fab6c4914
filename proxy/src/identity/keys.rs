//! API keys: found in a head, told apart by hash, named where the configuration names them.

use std::collections::HashMap;

use http::header::{self, HeaderMap};
use record::Name;
use sha2::{Digest as _, Sha256};

use super::hash::{Hash, Hasher, Kind};
use super::settings::{KeyMatch, NamedKey};

/// The names of known keys.
#[derive(Debug, Default)]
pub(super) struct KeyNames {
    by_hash: HashMap<Hash, Name>,
    by_sha256: HashMap<[u8; 32], Name>,
}

// === impl KeyNames ===

impl KeyNames {
    pub(super) fn new(keys: &[NamedKey], hasher: &Hasher) -> Self {
        let mut names = Self::default();
        for NamedKey { name, key } in keys {
            match key {
                KeyMatch::Plain(key) => {
                    let hash = hasher.hash(Kind::Key, key.reveal().as_bytes());
                    names.by_hash.insert(hash, name.clone());
                }
                KeyMatch::Sha256(digest) => {
                    names.by_sha256.insert(*digest, name.clone());
                }
                KeyMatch::Shown(hash) => {
                    names.by_hash.insert(Hash(*hash), name.clone());
                }
            }
        }
        names
    }

    /// What a record shows for a key: its name, else its hash.
    pub(super) fn shown(&self, key: &[u8], hasher: &Hasher) -> Name {
        let hash = hasher.hash(Kind::Key, key);
        if let Some(name) = self.by_hash.get(&hash) {
            return name.clone();
        }
        if !self.by_sha256.is_empty()
            && let Some(name) = self.by_sha256.get(&<[u8; 32]>::from(Sha256::digest(key)))
        {
            return name.clone();
        }
        hash.to_name()
    }
}

/// The key in a head: OpenAI's `Authorization`, Anthropic's `x-api-key`, Azure's `api-key`.
pub(super) fn key_of(headers: &HeaderMap) -> Option<&[u8]> {
    let value = |name: &str| headers.get(name).map(|value| value.as_bytes().trim_ascii());
    let bearer = headers.get(header::AUTHORIZATION).map(|value| {
        let value = value.as_bytes().trim_ascii();
        // The scheme's name has no case: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
        match value.iter().position(|byte| *byte == b' ') {
            Some(space) => value.get(space..).unwrap_or_default().trim_ascii(),
            None if value.eq_ignore_ascii_case(b"bearer") => b"",
            None => value,
        }
    });
    [bearer, value("x-api-key"), value("api-key")]
        .into_iter()
        .flatten()
        .find(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::super::secret::Secret;
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        for (fields, key) in [
            (&[("authorization", "Bearer sk-1")][..], Some("sk-1")),
            (&[("authorization", "bearer   sk-1 ")], Some("sk-1")),
            (&[("authorization", "sk-1")], Some("sk-1")),
            (&[("x-api-key", "sk-2")], Some("sk-2")),
            (&[("api-key", "sk-3")], Some("sk-3")),
            (
                &[("authorization", "Bearer "), ("x-api-key", "sk-2")],
                Some("sk-2"),
            ),
            (&[("authorization", ""), ("x-api-key", "sk-2")], Some("sk-2")),
            (&[], None),
        ] {
            let headers = headers(fields);
            let found = key_of(&headers).map(|key| std::str::from_utf8(key).unwrap());
            assert_eq!(found, key, "{fields:?}");
        }
    }

    #[test]
    fn a_named_key_shows_its_name_and_any_other_its_hash() {
        let hasher = Hasher::new(&Secret::new("secret"));
        let named = |name: &str, key| NamedKey {
            name: name.into(),
            key,
        };
        let names = KeyNames::new(
            &[
                named("plain", KeyMatch::Plain(Secret::new("sk-1"))),
                named("digest", KeyMatch::Sha256(Sha256::digest(b"sk-2").into())),
                named("shown", KeyMatch::Shown(hasher.hash(Kind::Key, b"sk-3").0)),
            ],
            &hasher,
        );
        for (key, name) in [("sk-1", "plain"), ("sk-2", "digest"), ("sk-3", "shown")] {
            assert_eq!(&*names.shown(key.as_bytes(), &hasher), name);
        }
        let other = names.shown(b"sk-4", &hasher);
        assert!(
            other.len() == 16 && other.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{other}"
        );
    }
}
