//! The client's library, by what it says of itself.

use http::header::{self, AsHeaderName, HeaderMap};
use record::Name;

/// Longest name of a client library that is kept.
const SDK_LEN_MAX: usize = 64;

/// The client's library and its version: `openai-python/3.54` from the headers that OpenAI's SDKs send, else
/// the first word of the user agent.
pub(super) fn sdk(headers: &HeaderMap) -> Option<Name> {
    let agent = text(headers, header::USER_AGENT)?;
    let package = text(headers, "x-stainless-package-version");
    let language = text(headers, "x-stainless-lang");
    let name = if let (Some(version), Some(language)) = (package, language) {
        let library = agent
            .split(['/', ' '])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        format!(
            "{library}-{}/{}",
            language.to_ascii_lowercase(),
            short_version(version)
        )
    } else {
        let (library, version) = agent
            .split_whitespace()
            .next()?
            .split_once('/')
            .unwrap_or((agent, ""));
        let library = library.split_whitespace().next()?;
        if version.is_empty() {
            library.to_owned()
        } else {
            format!("{library}/{}", short_version(version))
        }
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && name.len() <= SDK_LEN_MAX).then(|| name.into())
}

/// Major and minor version: patch releases would only scatter the figures.
fn short_version(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// How often the library has tried before, by its own word.
pub(super) fn retries(headers: &HeaderMap) -> Option<u32> {
    text(headers, "x-stainless-retry-count")?.parse().ok()
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_client_library_is_named_with_its_minor_version() {
        for (fields, expect) in [
            (
                &[
                    ("user-agent", "OpenAI/Python 3.54.0"),
                    ("x-stainless-lang", "python"),
                    ("x-stainless-package-version", "3.54.0"),
                ][..],
                Some("openai-python/3.54"),
            ),
            (
                &[
                    ("user-agent", "OpenAI/JS 7.1.2"),
                    ("x-stainless-lang", "js"),
                    ("x-stainless-package-version", "7.1.2"),
                ],
                Some("openai-js/7.1"),
            ),
            (&[("user-agent", "curl/7.88.1")], Some("curl/7.88")),
            (
                &[("user-agent", "python-requests/2.32.0 extra")],
                Some("python-requests/2.32"),
            ),
            (&[("user-agent", "plain")], Some("plain")),
            (&[("user-agent", "")], None),
            (&[], None),
        ] {
            assert_eq!(sdk(&headers(fields)).as_deref(), expect, "{fields:?}");
        }
    }
}
