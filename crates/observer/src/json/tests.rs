//! What is walked, what is skipped, and what is malformed.

use super::*;

fn fields(text: &str) -> Walk<Vec<String>> {
    let mut keys = Vec::new();
    let mut scan = Scan::new(text.as_bytes());
    scan.object(|key, scan| {
        keys.push(String::from_utf8_lossy(key).into_owned());
        scan.skip()
    })?;
    if scan.at_end() { Ok(keys) } else { Err(Malformed) }
}

#[test]
fn only_fields_of_the_object_itself_are_seen() {
    let text =
        r#" {"a":{"model":"x"}, "b":["model",{"c":1}],"d":"\"model\":\"y\"" , "e" : -1.5e3,"f":null} "#;
    assert_eq!(fields(text).unwrap(), ["a", "b", "d", "e", "f"]);
}

#[test]
fn escapes_in_keys_are_undone() {
    assert_eq!(fields(r#"{"mod\u0065l":1,"a\"b":2}"#).unwrap(), ["model", "a\"b"]);
}

#[test]
fn what_is_not_json_is_malformed() {
    for text in [
        "",
        "{",
        "{}x",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":"x}"#,
        "{a:1}",
        r#"{"a":tru}"#,
        "[]",
    ] {
        assert_eq!(fields(text), Err(Malformed), "{text}");
    }
}

#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = format!(
        r#"{{"a":{}{},"b":1}}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert_eq!(fields(&deep).unwrap(), ["a", "b"]);
}

#[test]
fn strings_end_at_their_own_quote_at_any_length() {
    for len in [0, 1, 22, 23, 24, 25, 100] {
        let text = format!(r#"{{"{}\\":"{}\"","z":"\\"}}"#, "k".repeat(len), "v".repeat(len));
        assert_eq!(fields(&text).unwrap().len(), 2, "length {len}");
    }
}

#[test]
fn text_is_given_only_within_its_limit() {
    let mut scan = Scan::new(br#""caf\u00e9""#);
    let raw = scan.string().unwrap();
    assert_eq!(raw.to_text(10).as_deref(), Some("caf\u{e9}"));
    assert_eq!(raw.to_text(3), None);
}
