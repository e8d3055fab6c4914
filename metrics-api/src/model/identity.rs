//! Who asked: part of [`RequestRecord`](super::RequestRecord).
//!
//! Nothing here can be turned back into a key or a person: the record holds keyed hashes, configured names
//! and cut addresses only.

use std::collections::BTreeMap;

use record::Identity;
use serde::Serialize;
use utoipa::ToSchema;

use super::requests::text;

/// Who asked, with what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityRecord {
    /// The API key: a keyed hash, or its configured alias; null without one.
    #[schema(required)]
    pub(crate) key_id: Option<String>,
    /// The end user: a keyed hash unless configured to be plain; null without one.
    #[schema(required)]
    pub(crate) user_id: Option<String>,
    /// The session: a keyed hash; null without one.
    #[schema(required)]
    pub(crate) session_id: Option<String>,
    /// The client's library, such as `openai-python/3.54`; null when unknown.
    #[schema(required)]
    pub(crate) sdk: Option<String>,
    /// The library's own count of retries; null when it does not say.
    #[schema(required)]
    pub(crate) sdk_retry: Option<u32>,
    /// The client's network, or a keyed hash of its address; null unless configured.
    #[schema(required)]
    pub(crate) client_net: Option<String>,
    /// Which secret made the hashes; null without hashes.
    #[schema(required)]
    pub(crate) hash_key_id: Option<u32>,
    /// The configured tags that have a value for this request, by name.
    pub(crate) tags: BTreeMap<String, String>,
}

// === impl IdentityRecord ===

impl From<&Identity> for IdentityRecord {
    fn from(identity: &Identity) -> Self {
        let tags = identity.tags.iter();
        Self {
            key_id: text(identity.key.as_ref()),
            user_id: text(identity.user.as_ref()),
            session_id: text(identity.session.as_ref()),
            sdk: text(identity.sdk.as_ref()),
            sdk_retry: identity.sdk_retry,
            client_net: text(identity.client_net.as_ref()),
            hash_key_id: identity.hash_key_id,
            tags: tags
                .map(|tag| (tag.name.to_string(), tag.value.to_string()))
                .collect(),
        }
    }
}
