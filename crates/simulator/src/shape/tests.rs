//! The shapes against what vLLM really sent: the lines below are from captures of vLLM on CPU.

use super::*;

fn chat(continuous: bool) -> Shape {
    Shape::new(Kind::Chat, true, "8c09596d0f2facd1", "tiny-random", 1_795_394_479).with_prompt(
        PromptTokens { total: 24, cached: 0 },
        false,
        continuous,
    )
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

const PIECE: Piece<'static> = Piece {
    choice: 0,
    text: " vobe",
    reasoning: false,
    finish: None,
    tokens: 1,
};

#[test]
fn chat_events_are_those_of_vllm() {
    let opening =
        r#"data: {"id":"chatcmpl-8c09596d0f2facd1","object":"chat.completion.chunk","created":1795394479,"#;
    let opening = format!("{opening}\"model\":\"tiny-random\",\"choices\":[");
    let shape = chat(false);
    assert_eq!(
        written(|out| shape.role(out, 0)),
        format!(
            "{opening}{}\n\n",
            concat!(
                r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"#,
                r#""finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}"#,
            )
        )
    );
    assert_eq!(
        written(|out| shape.piece(out, PIECE)),
        format!(
            "{opening}{}\n\n",
            concat!(
                r#"{"index":0,"delta":{"content":" vobe"},"logprobs":null,"finish_reason":null,"#,
                r#""token_ids":null}]}"#,
            )
        )
    );
    assert_eq!(
        written(|out| shape.piece(
            out,
            Piece {
                finish: Some("length"),
                ..PIECE
            }
        )),
        format!(
            "{opening}{}\n\n",
            concat!(
                r#"{"index":0,"delta":{"content":" vobe"},"logprobs":null,"finish_reason":"length","#,
                r#""stop_reason":null,"token_ids":null}]}"#,
            )
        )
    );
    assert_eq!(
        written(|out| shape.usage(out, 12, 0)),
        format!(
            "{opening}{}\n\n",
            concat!(
                r#"],"usage":{"prompt_tokens":24,"total_tokens":36,"completion_tokens":12},"#,
                r#""system_fingerprint":"vllm-0.33.0-simulated"}"#,
            )
        )
    );
}

#[test]
fn running_usage_stands_where_vllm_puts_it() {
    let shape = chat(true);
    assert!(written(|out| shape.role(out, 0)).contains(concat!(
        r#""finish_reason":null}],"usage":{"prompt_tokens":24,"total_tokens":24,"#,
        r#""completion_tokens":0,"completion_tokens_details":null},"prompt_token_ids":null,"#,
        r#""prompt_text":null}"#,
    )));
    assert!(written(|out| shape.piece(out, PIECE)).contains(concat!(
        r#""token_ids":null}],"usage":{"prompt_tokens":24,"total_tokens":25,"#,
        r#""completion_tokens":1,"completion_tokens_details":null}}"#,
    )));
}

#[test]
fn every_event_and_body_is_json() {
    let odd = Shape::new(Kind::Text, true, "a\"b\\c\n", "m\u{1}\"", 1).with_prompt(
        PromptTokens { total: 5, cached: 4 },
        true,
        false,
    );
    let piece = written(|out| odd.piece(out, PIECE));
    let event: serde_json::Value = serde_json::from_str(piece.trim_start_matches("data: ")).unwrap();
    assert_eq!(event["id"], "cmpl-a\"b\\c\n");
    assert_eq!(event["model"], "m\u{1}\"");
    assert_eq!(event["usage"], serde_json::Value::Null);
    let choice = WholeChoice {
        text: "hi".to_owned(),
        reasoning: "hm".to_owned(),
        finish: "stop",
    };
    let whole = Shape::new(Kind::Chat, false, "x", "m", 1).with_prompt(
        PromptTokens { total: 5, cached: 4 },
        true,
        false,
    );
    let body: serde_json::Value =
        serde_json::from_str(&written(|out| whole.whole(out, &[choice], Some((3, 1))))).unwrap();
    assert_eq!(body["choices"][0]["message"]["reasoning"], "hm");
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);
    let embedding = Shape::new(Kind::Embedding, false, "x", "m", 1);
    let body: serde_json::Value = serde_json::from_str(&written(|out| {
        embedding.embeddings(out, &[vec![0.5, -1.0]], false);
    }))
    .unwrap();
    assert_eq!(body["data"][0]["embedding"][1], -1.0);
}

#[test]
fn errors_are_json_even_with_quotes_in_the_message() {
    let body: serde_json::Value = serde_json::from_str(&error_body(&Refusal::unknown_model("a\"b"))).unwrap();
    assert_eq!(body["error"]["code"], 404);
    assert_eq!(body["error"]["message"], "The model `a\"b` does not exist.");
    assert_eq!(
        ENGINE_ERROR_EVENT.len(),
        0xa9,
        "the size that vLLM's own chunk had when its engine was killed"
    );
    let event = ENGINE_ERROR_EVENT.strip_prefix("data: ").unwrap();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["error"]["code"], 500);
}
