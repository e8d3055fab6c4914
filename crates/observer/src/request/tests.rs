//! Which fields are read, where the usage option is spliced in, what is refused.

use super::*;

fn read(body: &str) -> Result<RequestFacts, BodyError> {
    RequestFacts::read(Endpoint::Chat, body.as_bytes())
}

/// The body as the replica gets it.
fn spliced(body: &str) -> String {
    let facts = read(body).unwrap();
    facts.usage_splice(Endpoint::Chat).map_or_else(
        || body.to_owned(),
        |splice| {
            let out = splice.apply(body.as_bytes());
            assert_eq!(
                out.len(),
                splice.len_after(body.len()),
                "the announced length is the real one"
            );
            String::from_utf8(out).unwrap()
        },
    )
}

#[test]
fn the_fields_of_the_request_are_read_and_those_of_the_prompt_are_not() {
    let facts = read(
        r#"{"messages":[{"role":"user","content":"{\"model\":\"evil\",\"stream\":true}","model":"no"}],
            "tools":[{"model":"no"}], "model" : "meta/llama", "stream":true,"n":2,
            "max_tokens":9,"priority":-3}"#,
    )
    .unwrap();
    assert_eq!(facts.model.as_deref(), Some("meta/llama"));
    assert_eq!(
        facts.shape,
        Shape {
            stream: Some(true),
            choices: Some(2),
            max_tokens: Some(Tokens(9)),
            priority: Some(-3),
            ..Shape::default()
        }
    );
}

#[test]
fn an_escaped_key_is_the_key() {
    assert_eq!(
        read(r#"{"mod\u0065l":"a","str\u0065am":true}"#)
            .unwrap()
            .model
            .as_deref(),
        Some("a")
    );
    assert_eq!(
        read(r#"{"mod\u0065l":"a","model":"b"}"#),
        Err(BodyError::Twice("model")),
        "and counts as given"
    );
}

#[test]
fn a_field_given_twice_is_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"a","model":"b"}"#, "model"),
        (r#"{"stream":true,"stream":false}"#, "stream"),
        (r#"{"stream_options":{},"stream_options":null}"#, "stream_options"),
        (r#"{"n":1,"n":5}"#, "n"),
    ] {
        assert_eq!(read(body), Err(BodyError::Twice(field)), "{body}");
    }
    assert!(
        read(r#"{"x":1,"x":2}"#).is_ok(),
        "fields that decide nothing are the replica's business"
    );
}

#[test]
fn what_is_no_json_object_is_said_to_be_none() {
    for body in [
        "",
        "x",
        "[]",
        "{",
        "{}{}",
        r#"{"model":"a""#,
        r#"{"model":"a"} trailing"#,
    ] {
        assert_eq!(read(body), Err(BodyError::NotJson), "{body}");
    }
    assert_eq!(
        read(&format!(r#"{{"model":"{}"}}"#, "x".repeat(300))),
        Err(BodyError::ModelTooLong)
    );
}

#[test]
fn the_model_is_found_behind_megabytes_and_depth() {
    let body = format!(
        r#"{{"messages":[{{"content":"{}"}}],"deep":{}{},"model":"late"}}"#,
        "A".repeat(10_000_000),
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    assert_eq!(read(&body).unwrap().model.as_deref(), Some("late"));
}

#[test]
fn usage_is_asked_for_only_where_the_client_was_silent() {
    for (body, expect) in [
        (
            r#"{"stream":true}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            "{\"stream\":true }\n",
            "{\"stream\":true ,\"stream_options\":{\"include_usage\":true}}\n",
        ),
        (
            r#"{"stream":true,"stream_options":null}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options": { },"stream":true}"#,
            r#"{"stream_options": {"include_usage":true },"stream":true}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":false}}"#,
        ),
    ] {
        let out = spliced(body);
        assert_eq!(out, expect);
        serde_json::from_str::<serde_json::Value>(&out).expect("still JSON");
    }
    for untouched in [
        r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":true,"stream_options":"what"}"#,
        r#"{"stream":false}"#,
        r#"{"prompt":"x"}"#,
    ] {
        assert_eq!(spliced(untouched), untouched);
    }
    let facts = read(r#"{"stream":true}"#).unwrap();
    assert_eq!(
        facts.usage_splice(Endpoint::Responses),
        None,
        "only chat and completions have the option"
    );
}

#[test]
fn ollama_streams_unless_told_not_to() {
    let stream = |body: &str| {
        RequestFacts::read(Endpoint::OllamaChat, body.as_bytes())
            .unwrap()
            .shape
            .stream
    };
    assert_eq!(stream(r#"{"model":"q"}"#), Some(true));
    assert_eq!(stream(r#"{"model":"q","stream":false}"#), Some(false));
    assert_eq!(read(r#"{"model":"q"}"#).unwrap().shape.stream, Some(false));
}

#[test]
fn any_cut_of_a_body_is_an_error_and_never_a_panic() {
    let body = r#"{"model":"a\"b","stream":true,"stream_options":{"include_usage":null},"n":2}"#;
    for cut in 0..body.len() {
        assert_eq!(read(&body[..cut]), Err(BodyError::NotJson), "cut at {cut}");
    }
}
