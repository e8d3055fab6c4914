//! Labels of the operator's own: from a header, or the same for every request.

use http::header::{self, HeaderMap, HeaderName};
use record::{Name, Tag};

use super::settings::TagSource;

/// Longest value of a tag, in characters.
const VALUE_LEN_MAX: usize = 64;

/// The tags of one request, in the order of the configuration; a tag whose header is missing is left out.
pub(super) fn tags_of(rules: &[(Name, TagSource)], headers: &HeaderMap) -> Vec<Tag> {
    let value = |source: &TagSource| match source {
        TagSource::Header(header) => {
            let value = headers.get(header)?;
            cleaned(std::str::from_utf8(value.as_bytes()).ok()?, VALUE_LEN_MAX)
        }
        TagSource::Static(value) => Some(value.clone()),
    };
    let tag = |(name, source): &(Name, TagSource)| {
        Some(Tag {
            name: name.clone(),
            value: value(source)?,
        })
    };
    rules.iter().filter_map(tag).collect()
}

/// Whether a header may become a tag: those that carry keys may not.
#[must_use]
pub fn header_may_be_a_tag(name: &HeaderName) -> bool {
    let secret = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        HeaderName::from_static("x-api-key"),
        HeaderName::from_static("api-key"),
    ];
    !secret.contains(name)
}

/// The text without what surrounds it, at most `chars_max` long; control and other invisible characters
/// become `_`. `None` when nothing is left.
pub(super) fn cleaned(text: &str, chars_max: usize) -> Option<Name> {
    let clean = |letter: char| {
        let hidden = letter.is_control()
            || (letter.is_whitespace() && letter != ' ')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if hidden { '_' } else { letter }
    };
    let text: String = text.trim().chars().take(chars_max).map(clean).collect();
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tags_come_from_headers_and_from_the_configuration() {
        let rules = [
            (
                "team".into(),
                TagSource::Header(HeaderName::from_static("x-team")),
            ),
            (
                "cost".into(),
                TagSource::Header(HeaderName::from_static("x-cost")),
            ),
            ("env".into(), TagSource::Static("prod".into())),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-team",
            HeaderValue::from_bytes("  Zürich\tlab ".as_bytes()).unwrap(),
        );
        let tags = tags_of(&rules, &headers);
        let shown: Vec<_> = tags.iter().map(|tag| (&*tag.name, &*tag.value)).collect();
        assert_eq!(shown, [("team", "Zürich_lab"), ("env", "prod")]);
        headers.insert("x-team", HeaderValue::from_str(&"x".repeat(500)).unwrap());
        assert_eq!(tags_of(&rules, &headers)[0].value.len(), VALUE_LEN_MAX, "bounded");
    }

    #[test]
    fn a_header_with_a_key_is_no_tag() {
        for (name, may) in [
            ("authorization", false),
            ("x-api-key", false),
            ("cookie", false),
            ("x-team", true),
        ] {
            assert_eq!(header_may_be_a_tag(&HeaderName::from_static(name)), may, "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_one_short_line() {
        for (text, kept) in [
            (" team a ", Some("team a")),
            ("a\n{\"x\":1}", Some("a_{\"x\":1}")),
            ("\u{202e}evil\u{0}", Some("_evil_")),
            ("Zürich", Some("Zürich")),
            ("123456789abc", Some("123456789")),
            (" \t", None),
            ("", None),
        ] {
            assert_eq!(cleaned(text, 9).as_deref(), kept, "{text:?}");
        }
    }
}
