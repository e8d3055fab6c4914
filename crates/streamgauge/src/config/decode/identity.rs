//! `identity`: how requests are told apart, and what is kept of who asked.

use std::path::PathBuf;

use ::proxy::{
    IdentitySettings, KeyMatch, NamedKey, OriginMode, SECRET_LEN_MIN, Secret, SecretSource, TagSource,
    UserMode, header_may_be_a_tag,
};
use http::HeaderName;
use record::{Name, TAGS_MAX};

use super::values::{label, network, secret};
use crate::config::address;
use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::config::reader::{Section, items};

/// Reads the section. `ledger` is the ledger's URL: a secret that nobody gives is made beside it.
pub(super) fn decode(
    mut section: Section<'_>,
    ledger: &str,
    problems: &mut Vec<Problem>,
) -> IdentitySettings {
    let value = section.optional("secret", problems, long_secret);
    let file = section.optional("secret_file", problems, |text| Ok(PathBuf::from(text)));
    let source = match (value, file) {
        (Some(value), _) => SecretSource::Value(value),
        (None, Some(file)) => SecretSource::File(file),
        (None, None) => SecretSource::Made(made_beside(ledger)),
    };
    let mut settings = IdentitySettings::usual(source);
    if let Some(keys) = section.node("keys") {
        settings.keys = decode_keys(keys, &section.path_of("keys"), problems);
    }
    settings.user = section.value("user", UserMode::Hash, problems, user_mode);
    settings.user_header = section.optional("user_header", problems, header_name);
    settings.origin = section.value("origin", OriginMode::Off, problems, origin_mode);
    let trusted = section.list("trusted_proxies", problems, network);
    settings.trusted_proxies = trusted.unwrap_or_default();
    if let Some(tags) = section.node("tags") {
        settings.tags = decode_tags(tags, &section.path_of("tags"), problems);
    }
    section.finish(problems);
    settings
}

/// What holds when nothing is configured.
pub(super) fn usual(ledger: &str) -> IdentitySettings {
    IdentitySettings::usual(SecretSource::Made(made_beside(ledger)))
}

/// Where the secret is kept that is made at the first start.
fn made_beside(ledger: &str) -> PathBuf {
    match address::ledger_path(ledger) {
        Some(path) => path.with_extension("secret"),
        None => PathBuf::from("data/streamgauge.secret"),
    }
}

fn decode_keys(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Vec<NamedKey> {
    let mut keys: Vec<NamedKey> = Vec::new();
    for (nth, item) in items(node).iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let mut entry = Section::of(path.clone(), Some(item), problems);
        let name = entry.optional("name", problems, label);
        let told = [
            entry.optional("key", problems, |text| {
                secret(text).map(Secret::new).map(KeyMatch::Plain)
            }),
            entry.optional("sha256", problems, |text| sha256(text).map(KeyMatch::Sha256)),
            entry.optional("hash", problems, |text| shown(text).map(KeyMatch::Shown)),
        ];
        entry.finish(problems);
        let mut told = told.into_iter().flatten();
        match (name, told.next(), told.next()) {
            (Some(name), Some(key), None) => keys.push(NamedKey { name, key }),
            _ => refuse(
                item,
                path,
                "expected a name and one of key, sha256 or hash: { name: team-a, key: ${TEAM_A_KEY} }",
                problems,
            ),
        }
    }
    keys
}

fn decode_tags(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Vec<(Name, TagSource)> {
    let Value::Map(entries) = &node.value else {
        let message = "expected a mapping of names: { team: \"header:x-team\", env: \"static:prod\" }";
        refuse(node, path.to_owned(), message, problems);
        return Vec::new();
    };
    if entries.len() > TAGS_MAX {
        let message = format!(
            "{} tags are too many; at most {TAGS_MAX} are counted",
            entries.len()
        );
        refuse(node, path.to_owned(), &message, problems);
    }
    let mut tags = Vec::new();
    for entry in entries {
        let path = format!("{path}.{}", entry.key);
        let told = match &entry.node.value {
            Value::Scalar(text) => tag_name(&entry.key).and_then(|name| Ok((name, tag_source(text)?))),
            other => Err(format!("expected a single value, found {}", other.kind())),
        };
        match told {
            Ok(tag) => tags.push(tag),
            Err(message) => refuse(&entry.node, path, &message, problems),
        }
    }
    tags
}

fn refuse(node: &Node, key: String, message: &str, problems: &mut Vec<Problem>) {
    problems.push(Problem {
        origin: node.origin.clone(),
        key,
        message: message.to_owned(),
    });
}

/// Never repeats the text.
fn long_secret(text: &str) -> Result<Secret, String> {
    if text.len() < SECRET_LEN_MIN {
        return Err(format!(
            "the secret is shorter than {SECRET_LEN_MIN} bytes; make one with `openssl rand -hex 32`"
        ));
    }
    secret(text).map(Secret::new)
}

fn user_mode(text: &str) -> Result<UserMode, String> {
    match text {
        "hash" => Ok(UserMode::Hash),
        "plain" => Ok(UserMode::Plain),
        "off" | "false" => Ok(UserMode::Off),
        _ => Err(format!(
            "`{text}` is not a way to keep users; write hash, plain or off"
        )),
    }
}

fn origin_mode(text: &str) -> Result<OriginMode, String> {
    match text {
        "off" | "false" => Ok(OriginMode::Off),
        "truncate" => Ok(OriginMode::Truncate),
        "hash" => Ok(OriginMode::Hash),
        _ => Err(format!(
            "`{text}` is not a way to keep addresses; write off, truncate or hash"
        )),
    }
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    let name = text.to_ascii_lowercase().parse::<HeaderName>();
    name.map_err(|_| format!("`{text}` is not the name of a header; write it like x-user-id"))
}

fn tag_name(text: &str) -> Result<Name, String> {
    let fits = (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !fits {
        return Err(format!(
            "`{text}` is not the name of a tag; use 1 to 32 of a-z, 0-9 and `_`"
        ));
    }
    Ok(text.into())
}

fn tag_source(text: &str) -> Result<TagSource, String> {
    if let Some(header) = text.strip_prefix("header:") {
        let name = header_name(header)?;
        if !header_may_be_a_tag(&name) {
            return Err(format!(
                "the header `{name}` carries a key, and a tag is stored as it is; see identity.keys"
            ));
        }
        return Ok(TagSource::Header(name));
    }
    if let Some(value) = text.strip_prefix("static:") {
        return label(value).map(TagSource::Static);
    }
    Err(format!(
        "`{text}` does not say where the tag comes from; write header:x-team or static:prod"
    ))
}

fn sha256(text: &str) -> Result<[u8; 32], String> {
    let mut digest = [0_u8; 32];
    let fits = text.len() == 64 && text.is_ascii();
    let read = fits
        && digest
            .iter_mut()
            .zip(text.as_bytes().chunks(2))
            .all(|(byte, pair)| {
                let pair = std::str::from_utf8(pair).unwrap_or_default();
                u8::from_str_radix(pair, 16).map(|read| *byte = read).is_ok()
            });
    if !read {
        return Err(
            "this is not a SHA-256 of 64 hexadecimal digits; make it with `printf %s \"$KEY\" | sha256sum`"
                .to_owned(),
        );
    }
    Ok(digest)
}

fn shown(text: &str) -> Result<u64, String> {
    let read = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
    read.ok_or_else(|| "this is not a hash of 16 hexadecimal digits, as the dashboard shows it".to_owned())
}
