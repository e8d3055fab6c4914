//! The section `identity` as YAML. Its mappings have keys of the user's own.

use proxy::{IdentitySettings, KeyMatch, NamedKey, OriginMode, SecretSource, TagSource, UserMode};
use saphyr::{Mapping, Scalar, Yaml};

use super::{Secrets, mapping, secret, text, texts};

/// Every key of the section with its effective value.
pub(super) fn identity_yaml(identity: &IdentitySettings, secrets: Secrets) -> Yaml<'static> {
    let nothing = || Yaml::Value(Scalar::Null);
    let (value, file) = match &identity.secret {
        SecretSource::Value(value) => (secret(Some(value.reveal()), secrets), nothing()),
        SecretSource::File(path) => (nothing(), text(&path.display().to_string())),
        // Where it is made follows from the ledger; as `secret_file` it would have to be there already.
        SecretSource::Made(_) => (nothing(), nothing()),
    };
    let networks: Vec<String> = identity.trusted_proxies.iter().map(ToString::to_string).collect();
    let header = identity.user_header.as_ref();
    mapping([
        ("secret", value),
        ("secret_file", file),
        (
            "keys",
            Yaml::Sequence(identity.keys.iter().map(|key| key_yaml(key, secrets)).collect()),
        ),
        ("user", text(user_word(identity.user))),
        (
            "user_header",
            header.map_or_else(nothing, |header| text(header.as_str())),
        ),
        ("origin", text(origin_word(identity.origin))),
        ("trusted_proxies", texts(&networks)),
        ("tags", tags_yaml(identity)),
    ])
}

fn key_yaml(key: &NamedKey, secrets: Secrets) -> Yaml<'static> {
    let (by, value) = match &key.key {
        KeyMatch::Plain(key) => ("key", secret(Some(key.reveal()), secrets)),
        KeyMatch::Sha256(digest) => {
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            ("sha256", text(&digits))
        }
        KeyMatch::Shown(hash) => ("hash", text(&format!("{hash:016x}"))),
    };
    mapping([("name", text(&key.name)), (by, value)])
}

fn tags_yaml(identity: &IdentitySettings) -> Yaml<'static> {
    let mut tags = Mapping::new();
    for (name, source) in &identity.tags {
        let source = match source {
            TagSource::Header(header) => format!("header:{header}"),
            TagSource::Static(value) => format!("static:{value}"),
        };
        tags.insert(text(name), text(&source));
    }
    Yaml::Mapping(tags)
}

const fn user_word(mode: UserMode) -> &'static str {
    match mode {
        UserMode::Hash => "hash",
        UserMode::Plain => "plain",
        UserMode::Off => "off",
    }
}

const fn origin_word(mode: OriginMode) -> &'static str {
    match mode {
        OriginMode::Off => "off",
        OriginMode::Truncate => "truncate",
        OriginMode::Hash => "hash",
    }
}
