//! Where a `usage` member stands, so that it can be taken out of the text.

use std::ops::Range;

/// A member of an object and what stands in its place once it is taken out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Member {
    /// Bytes of the event's text.
    pub(crate) range: Range<usize>,
    /// What the server would have written.
    pub(crate) instead: &'static str,
}

/// The member whose value stands at `value`. With `null` the server would have written the member with that
/// value; without, it would not have written the member, so its comma goes as well.
pub(super) fn place(text: &[u8], value: Range<usize>, null: bool) -> Option<Member> {
    if null {
        return Some(Member {
            range: value,
            instead: "null",
        });
    }
    let before = text.get(..value.start)?.trim_ascii_end().strip_suffix(b":")?;
    // The key has no escaped quote in it: it is `usage`.
    let key = before.trim_ascii_end().strip_suffix(b"\"")?;
    let key_start = memchr::memrchr(b'"', key)?;
    let comma = text.get(..key_start)?.trim_ascii_end().strip_suffix(b",");
    let range = match comma {
        Some(before) => before.len()..value.end,
        None => {
            // It is the first member: the comma behind it goes.
            let behind = text.get(value.end..)?;
            let rest = behind.trim_ascii_start();
            let rest = rest
                .strip_prefix(b",")
                .map_or(behind, |rest| rest.trim_ascii_start());
            key_start..text.len() - rest.len()
        }
    };
    Some(Member { range, instead: "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_goes_with_its_comma_wherever_it_stands() {
        for (text, left) in [
            (r#"{"a":1,"usage":{"x":1}}"#, r#"{"a":1}"#),
            (r#"{"a":1,"usage":{"x":1},"b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"usage":{"x":1},"b":2}"#, r#"{"b":2}"#),
            (r#"{"usage":{"x":1}}"#, "{}"),
            (r#"{"a": 1, "usage" : {"x":1}, "b": 2}"#, r#"{"a": 1, "b": 2}"#),
            (r#"{"a":1,"us\u0061ge":{"x":1}}"#, r#"{"a":1}"#),
        ] {
            let start = text.find("{\"x\"").unwrap();
            let member = place(text.as_bytes(), start..start + 7, false).unwrap();
            let mut out = text.to_owned();
            out.replace_range(member.range, member.instead);
            assert_eq!(out, left, "{text}");
        }
    }
}
