//! Keyed hashes: what is kept of a value that must not be kept.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use record::Name;
use sha2::Sha256;

use super::secret::Secret;

/// What a value is. One text as a key and as a user has two hashes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Nothing stands before a key: `openssl dgst -sha256 -hmac SECRET` shows the same digits.
    Key,
    User,
    Session,
    Address,
    /// The secret's own number.
    Secret,
}

/// Hashes under one secret.
#[derive(Clone)]
pub(super) struct Hasher {
    keyed: Hmac<Sha256>,
    id: u32,
}

/// The first eight bytes of a keyed hash. Why so few: a million values collide with a chance of one in
/// thirty million, and the text is short enough to be read out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Hash(pub(super) u64);

// === impl Hasher ===

impl Hasher {
    pub(super) fn new(secret: &Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes a key of any length");
        let mut hasher = Self { keyed, id: 0 };
        let Hash(number) = hasher.hash(Kind::Secret, b"");
        // The upper half: a number to tell secrets apart by, not to find them from.
        hasher.id = u32::try_from(number >> 32).unwrap_or_default();
        hasher
    }

    pub(super) fn hash(&self, kind: Kind, value: &[u8]) -> Hash {
        let mut keyed = self.keyed.clone();
        keyed.update(kind.prefix());
        keyed.update(value);
        let digest = keyed.finalize().into_bytes();
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(digest);
        Hash(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The number of the secret: two records with one number were hashed alike.
    pub(super) const fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

// === impl Hash ===

impl Hash {
    /// Its sixteen digits.
    pub(super) fn to_name(self) -> Name {
        format!("{:016x}", self.0).into()
    }
}

// === impl Kind ===

impl Kind {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Key => b"",
            Self::User => b"user\0",
            Self::Session => b"session\0",
            Self::Address => b"address\0",
            Self::Secret => b"secret\0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(secret: &str) -> Hasher {
        Hasher::new(&Secret::new(secret))
    }

    #[test]
    fn a_keys_hash_is_plain_hmac_sha256() {
        // printf %s what do ya want for nothing? | openssl dgst -sha256 -hmac Jefe
        // https://www.rfc-editor.org/rfc/rfc4231#section-4.3
        let hash = hasher("Jefe").hash(Kind::Key, b"what do ya want for nothing?");
        assert_eq!(&*hash.to_name(), "5bdcc146bf60754e");
    }

    #[test]
    fn hashes_differ_by_kind_and_by_secret_and_not_by_chance() {
        let (one, other) = (hasher("one"), hasher("other"));
        assert_eq!(one.hash(Kind::User, b"a"), one.hash(Kind::User, b"a"));
        assert_ne!(one.hash(Kind::User, b"a"), one.hash(Kind::Session, b"a"));
        assert_ne!(one.hash(Kind::User, b"a"), other.hash(Kind::User, b"a"));
        assert_ne!(
            one.id(),
            other.id(),
            "a record says which secret it was hashed under"
        );
        assert!(!format!("{one:?}").contains("one"), "{one:?}");
    }
}
