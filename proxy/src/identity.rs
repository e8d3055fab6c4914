//! Who asked: key, user, session, address, client library and the configured tags, without keeping any of
//! them.
//!
//! A key, a session or an address is turned into a keyed hash the moment it is read, and only the hash goes
//! on. Plain hashes would not do: `sk-test`, an e-mail address or an IP is found in a list of likely values,
//! whatever the hash. Everything here is pure but [`secret`], which reads and makes the secret's file at
//! start.
//!
//! What does not belong here: whether a key may ask. This only tells keys apart.

mod hash;
mod identifier;
mod keys;
mod origin;
mod sdk;
mod secret;
mod settings;
mod tags;

pub(crate) use identifier::{Identifier, Wish};
pub use secret::{SECRET_LEN_MIN, Secret, SecretError};
pub use settings::{IdentitySettings, KeyMatch, NamedKey, OriginMode, SecretSource, TagSource, UserMode};
pub use tags::header_may_be_a_tag;
