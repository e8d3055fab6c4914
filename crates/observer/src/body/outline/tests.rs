//! The outline of a body says what the body says, and stays small.

use proptest::prelude::*;
use record::Dialect;
use serde_json::{Map, Value, json};

use super::*;
use crate::dialect::{Answer, read_body};

fn outline(pieces: &[&[u8]]) -> Outline {
    let mut outline = Outline::default();
    for piece in pieces {
        outline.push(piece);
    }
    outline
}

fn answer(dialect: Dialect, text: &[u8]) -> String {
    let mut answer = Answer::default();
    let read = read_body(dialect, text, &mut answer);
    format!("{read:?} {answer:?}")
}

#[test]
fn only_fields_that_are_read_are_kept() {
    for (body, kept) in [
        (
            r#" {"id":"x", "model" : "m\"","choices":[{"index":0,"message":{"content":"no"},
            "finish_reason":"stop"},{}, 7],"usage":{"a":[1,{"b":"}"}]},"data":[0.5,-1e3,null]} trailing"#,
            r#"{"model":"m\"","choices":[{"index":0,"finish_reason":"stop"},{},7],"usage":{"a":[1,{"b":"}"}]}}"#,
        ),
        (r#"{"mod\u0065l":"m"}"#, r#"{"mod\u0065l":"m"}"#),
        (r#"{"id":1,"status":2 , "x":3}"#, r#"{"status":2}"#),
        (r#"{"choices":null}"#, r#"{"choices":null}"#),
        ("[{\"index\":0}]", "[]"),
        ("12 ", "12"),
        ("{\"model\":", "{"),
        ("{\"model\":\"a", "{\"model\":\"a"),
        ("{\"model\" \"m\"}", "{"),
        ("{}", "{}"),
        ("<html>", ""),
    ] {
        let got = outline(&[body.as_bytes()]);
        assert_eq!(String::from_utf8_lossy(got.text()), kept, "{body}");
    }
}

#[test]
fn what_is_too_long_is_let_go_and_the_rest_is_read() {
    let long = "x\\n".repeat(1_000);
    let many = "1,".repeat(5_000);
    let body = format!(
        r#"{{"error":{{"message":"{long}","code":503}},"metrics":[{many}0],"usage":{{"prompt_tokens":3}}}}"#
    );
    let got = outline(&[body.as_bytes()]);
    let kept: Value = serde_json::from_slice(got.text()).expect("JSON");
    assert_eq!(kept["error"]["code"], 503);
    assert!(
        kept["error"]["message"]
            .as_str()
            .is_some_and(|text| text.len() < STRING_LEN_MAX)
    );
    assert_eq!(
        (&kept["metrics"], &kept["usage"]),
        (&Value::Null, &json!({"prompt_tokens": 3}))
    );
}

#[test]
fn the_outline_of_an_endless_body_is_bounded() {
    for unit in [
        r#""usage":{"prompt_tokens":1},"#,
        r#""choices":[{"index":0,"finish_reason":"stop"},{"index":1}],"#,
        r#""error":{"message":"x","deep":[[[[]]]]},"#,
        r#""x":"#,
    ] {
        let mut got = outline(&[b"{"]);
        for _ in 0..20_000 {
            got.push(unit.as_bytes());
        }
        let len = got.text().len();
        assert!(len <= OUTLINE_LEN_MAX + VALUE_LEN_MAX, "{len} bytes of {unit}");
    }
}

fn key() -> impl Strategy<Value = String> {
    let known: Vec<_> = FIELDS
        .iter()
        .chain(&CHOICE_FIELDS)
        .map(|key| String::from_utf8_lossy(key).into_owned())
        .collect();
    const COUNTS: [&str; 6] = [
        "prompt_tokens",
        "completion_tokens",
        "reason",
        "prompt_ms",
        "x",
        "a\"b",
    ];
    prop_oneof![
        proptest::sample::select(known),
        proptest::sample::select(&COUNTS[..]).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u32..9).prop_map(Value::from),
        (-4.0..4.0).prop_map(Value::from),
        proptest::sample::select(&["error", "stop", "length", "completed", "\\ \" {[", ""][..])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key(), inner), 0..6)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn the_outline_is_read_as_the_body_would_be(
        fields in proptest::collection::vec((key(), value()), 0..8), pretty: bool, at in 0_usize..400,
    ) {
        let body = Value::from(fields.into_iter().collect::<Map<_, _>>());
        let text = if pretty { format!("{body:#}") } else { body.to_string() };
        let (left, right) = text.as_bytes().split_at(at.min(text.len()));
        let got = outline(&[left, right]);
        let single = outline(&text.as_bytes().chunks(1).collect::<Vec<_>>());
        prop_assert_eq!(got.text(), single.text());
        for dialect in Dialect::ALL {
            prop_assert_eq!(
                answer(*dialect, got.text()), answer(*dialect, text.as_bytes()), "{} {}", dialect, text
            );
        }
    }
}
