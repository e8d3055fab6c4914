//! Which fields are read, where the usage option is spliced in, what is refused.

use record::{ResponseFormat, ServiceTier, Tokens};

use super::*;

fn read(body: &str) -> Result<RequestFacts, BodyError> {
    RequestFacts::read(Endpoint::Chat, body.as_bytes())
}

/// The body as the replica gets it.
fn spliced(body: &str) -> String {
    asked(body, UsageWanted::AtEnd).0
}

/// The body as the replica gets it, and what is taken out of the answer.
fn asked(body: &str, wanted: UsageWanted) -> (String, UsageStrip) {
    let facts = read(body).unwrap();
    let Some(asked) = facts.ask_for_usage(Endpoint::Chat, wanted) else {
        return (body.to_owned(), UsageStrip::Nothing);
    };
    let out = asked.splice.apply(body.as_bytes());
    assert_eq!(
        out.len(),
        asked.splice.len_after(body.len()),
        "the announced length is the real one"
    );
    serde_json::from_slice::<serde_json::Value>(&out).expect("still JSON");
    (String::from_utf8(out).unwrap(), asked.strip)
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
            tools: Some(1),
            images: Some(0),
            audios: Some(0),
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
    ] {
        assert_eq!(spliced(body), expect);
    }
    for untouched in [
        r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        // vLLM takes these for yes and others for no: no chunk of ours could be told from the client's.
        r#"{"stream_options": { },"stream":true}"#,
        r#"{"stream":true,"stream_options":{"continuous_usage_stats":false}}"#,
        r#"{"stream":true,"stream_options":"what"}"#,
        r#"{"stream":false}"#,
        r#"{"prompt":"x"}"#,
    ] {
        assert_eq!(spliced(untouched), untouched);
    }
    let facts = read(r#"{"stream":true}"#).unwrap();
    assert_eq!(
        facts.ask_for_usage(Endpoint::Responses, UsageWanted::AtEnd),
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

#[test]
fn running_counts_are_asked_for_beside_what_the_client_said() {
    for (body, expect, strip) in [
        (
            r#"{"stream":true}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#,
            UsageStrip::ChunkAndMembers,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":true,"include_usage":true}}"#,
            UsageStrip::Members,
        ),
        (
            r#"{"stream":true,"stream_options":{ }}"#,
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":true }}"#,
            UsageStrip::Members,
        ),
        (
            r#"{"stream_options":null,"stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"stream":true}"#,
            UsageStrip::ChunkAndMembers,
        ),
    ] {
        assert_eq!(asked(body, UsageWanted::Running), (expect.to_owned(), strip));
    }
    for untouched in [
        r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":7}"#,
    ] {
        let (out, strip) = asked(untouched, UsageWanted::Running);
        assert_eq!((out.as_str(), strip), (untouched, UsageStrip::Nothing));
    }
}

#[test]
fn the_shape_is_read_by_every_servers_names() {
    let shape = |body: &str| read(body).unwrap().shape;
    let seen = shape(
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"type image_url"},
            {"type":"image_url","image_url":{"url":"data:,"}},{"image":"x","type":"input_image"},
            {"type":"input_audio","input_audio":{}}]}],
            "max_tokens":5,"max_completion_tokens":7,"service_tier":"flex",
            "response_format":{"type":"json_schema","json_schema":{"type":"x"}},"tools":[{},{}]}"#,
    );
    assert_eq!(
        (seen.images, seen.audios, seen.tools),
        (Some(2), Some(1), Some(2))
    );
    assert_eq!(
        seen.max_tokens,
        Some(Tokens(7)),
        "the newer name goes before the older"
    );
    assert_eq!(seen.service_tier, Some(ServiceTier::Flex));
    assert_eq!(seen.response_format, Some(ResponseFormat::JsonSchema));
    let lax = shape(r#"{"stream":1,"n":"3","max_tokens":8.0,"service_tier":"gold","functions":[{}]}"#);
    assert_eq!((lax.stream, lax.choices), (Some(true), Some(3)));
    assert_eq!((lax.max_tokens, lax.tools), (Some(Tokens(8)), Some(1)));
    assert_eq!(lax.service_tier, Some(ServiceTier::Other));
    let responses = shape(r#"{"input":"x","max_output_tokens":4,"text":{"format":{"type":"json_object"}}}"#);
    assert_eq!(responses.max_tokens, Some(Tokens(4)));
    assert_eq!(responses.response_format, Some(ResponseFormat::JsonObject));
    assert_eq!(
        shape(r#"{"guided_regex":"a+"}"#).response_format,
        Some(ResponseFormat::Other)
    );
    let ollama = RequestFacts::read(
        Endpoint::OllamaChat,
        br#"{"Model":"q","STREAM":false,"options":{"num_predict":12},"format":"json",
            "messages":[{"content":"x","images":["a","b"]}]}"#,
    )
    .unwrap();
    assert_eq!(ollama.model.as_deref(), Some("q"), "Go takes keys in any case");
    let shape = ollama.shape;
    assert_eq!((shape.stream, shape.images), (Some(false), Some(2)));
    assert_eq!(shape.max_tokens, Some(Tokens(12)));
    assert_eq!(shape.response_format, Some(ResponseFormat::JsonObject));
}

#[test]
fn places_are_those_of_the_values_and_nothing_is_copied() {
    let body = r#"{"user":"old","messages":[{"user":"no"}],"model":"m\"x","tools":[1],"cache_salt":"s",
        "system":"be brief","metadata":{"user_id":"third","session_id":"talk"},
        "safety_identifier":"caf\u00e9",
        "prompt_cache_key":"key","previous_response_id":"resp_1"}"#;
    let facts = read(body).unwrap();
    let at = |place: &Option<Range<usize>>| &body[place.clone().unwrap()];
    assert_eq!(at(&facts.model_value), r#""m\"x""#);
    assert_eq!(at(&facts.prompt), r#"[{"user":"no"}]"#);
    assert_eq!(at(&facts.tools), "[1]");
    assert_eq!(at(&facts.cache_salt), r#""s""#);
    assert_eq!(at(&facts.system), r#""be brief""#);
    let text = |place: &Option<Range<usize>>| facts.text(body.as_bytes(), &place.clone().unwrap(), 64);
    assert_eq!(text(&facts.claims.user).as_deref(), Some("caf\u{e9}"));
    assert_eq!(text(&facts.claims.session).as_deref(), Some("talk"));
    assert_eq!(
        facts.text(body.as_bytes(), &facts.claims.user.clone().unwrap(), 4),
        None
    );
    let debugged = format!("{facts:?}");
    for secret in ["brief", "caf", "talk", "key\""] {
        assert!(!debugged.contains(secret), "{secret} in {debugged}");
    }
    let renamed = facts.model_splice("re\"al").unwrap().apply(body.as_bytes());
    assert_eq!(
        read(std::str::from_utf8(&renamed).unwrap())
            .unwrap()
            .model
            .as_deref(),
        Some("re\"al")
    );
}

#[test]
fn the_choices_of_a_text_completion_are_those_of_all_its_prompts() {
    let choices = |body: &str| {
        RequestFacts::read(Endpoint::Completion, body.as_bytes())
            .unwrap()
            .choices()
    };
    assert_eq!(choices(r#"{"prompt":"a","n":2}"#), 2);
    assert_eq!(choices(r#"{"prompt":["a","b","c"],"n":2}"#), 6);
    assert_eq!(choices(r#"{"prompt":[1,2,3]}"#), 1, "one prompt in token numbers");
    assert_eq!(choices(r#"{"prompt":[[1,2],[3]]}"#), 2);
    assert_eq!(choices(r#"{"prompt":[]}"#), 1);
}

#[test]
fn what_a_replica_could_read_and_we_cannot_is_refused() {
    let wide: Vec<u8> = r#"{"model":"a"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        RequestFacts::read(Endpoint::Chat, &wide),
        Err(BodyError::NotUtf8),
        "Python reads UTF-16"
    );
    assert_eq!(
        RequestFacts::read(Endpoint::Chat, b"{\"model\":\"\xff\"}"),
        Err(BodyError::ModelUnreadable)
    );
    assert_eq!(
        read(r#"{"model":"\ud800"}"#),
        Err(BodyError::ModelUnreadable),
        "half a character"
    );
    let facts = RequestFacts::read(
        Endpoint::Chat,
        b"\xef\xbb\xbf{\"temperature\":NaN,\"top_p\":-Infinity,\"x\":\"\xff\",\"model\":\"m\"}",
    )
    .unwrap();
    assert_eq!(
        facts.model.as_deref(),
        Some("m"),
        "what Python takes for JSON is read as it reads it"
    );
}

#[test]
fn splices_are_applied_together() {
    let body = r#"{"model":"alias","stream":true}"#;
    let facts = read(body).unwrap();
    let usage = facts.ask_for_usage(Endpoint::Chat, UsageWanted::AtEnd).unwrap();
    let both = [facts.model_splice("real").unwrap(), usage.splice];
    assert_eq!(
        apply_all(body.as_bytes(), &both),
        br#"{"model":"real","stream":true,"stream_options":{"include_usage":true}}"#
    );
}
