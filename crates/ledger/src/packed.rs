//! Lists that stand in one column: the numbers of a record's tags, and its attempts.

use record::units::{duration_from_us, duration_us};
use record::{Attempt, AttemptEnd, Tag};

/// The string of the dictionary that stands for a tag.
pub(crate) fn tag_text(tag: &Tag) -> String {
    [&*tag.name, "=", &*tag.value].concat()
}

/// The tag behind a string of the dictionary. A tag's name holds no `=`, which the configuration makes sure
/// of.
pub(crate) fn tag_of(text: &str) -> Option<Tag> {
    let (name, value) = text.split_once('=')?;
    Some(Tag {
        name: name.into(),
        value: value.into(),
    })
}

/// The numbers as `,12,57,`, so that `,12,` is found only where 12 stands; `None` without any.
pub(crate) fn pack_ids(ids: impl Iterator<Item = i64>) -> Option<String> {
    let mut text = String::new();
    for id in ids {
        text.push(',');
        text.push_str(&id.to_string());
    }
    if text.is_empty() {
        return None;
    }
    text.push(',');
    Some(text)
}

/// The numbers of a packed list; `None` when the text is not one.
pub(crate) fn unpack_ids(text: &str) -> Option<Vec<i64>> {
    text.trim_matches(',')
        .split(',')
        .map(|number| number.parse().ok())
        .collect()
}

/// The attempts as `replica end microseconds;...`; `None` without any.
pub(crate) fn pack_attempts(attempts: &[Attempt]) -> Option<String> {
    let words: Vec<String> = attempts
        .iter()
        .map(|attempt| {
            let us = duration_us(attempt.span);
            format!("{} {} {us}", attempt.replica, attempt.end)
        })
        .collect();
    (!words.is_empty()).then(|| words.join(";"))
}

/// The attempts of a packed list; `None` when the text is not one.
pub(crate) fn unpack_attempts(text: &str) -> Option<Vec<Attempt>> {
    text.split(';')
        .map(|words| {
            let mut words = words.split(' ');
            let attempt = Attempt {
                replica: words.next()?.into(),
                end: AttemptEnd::parse(words.next()?)?,
                span: duration_from_us(words.next()?.parse().ok()?),
            };
            words.next().is_none().then_some(attempt)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lists_read_back() {
        assert_eq!(pack_ids(std::iter::empty()), None, "no tag, no text");
        let packed = pack_ids([12, 57].into_iter()).unwrap();
        assert_eq!(packed, ",12,57,");
        assert_eq!(unpack_ids(&packed), Some(vec![12, 57]));
        assert_eq!(unpack_ids(",12,x,"), None, "no number, no list");

        let attempts = vec![
            Attempt {
                replica: "10.0.0.1:8000".into(),
                end: AttemptEnd::Connect,
                span: Duration::from_micros(1_203),
            },
            Attempt {
                replica: "[::1]:8000".into(),
                end: AttemptEnd::Answered,
                span: Duration::from_secs(2),
            },
        ];
        let packed = pack_attempts(&attempts).unwrap();
        assert_eq!(packed, "10.0.0.1:8000 connect 1203;[::1]:8000 answered 2000000");
        assert_eq!(unpack_attempts(&packed), Some(attempts));
        assert_eq!(unpack_attempts("10.0.0.1:8000 vanished 3"), None);
    }

    #[test]
    fn a_tag_is_a_name_and_a_value_that_may_hold_anything() {
        let tag = Tag {
            name: "team".into(),
            value: "a=b".into(),
        };
        assert_eq!(&*tag_text(&tag), "team=a=b");
        assert_eq!(tag_of("team=a=b"), Some(tag));
        assert_eq!(tag_of("team"), None);
    }
}
