//! What every request body must hold: JSON and forms.

use observer::{BodyError, RequestFacts, UsageWanted};
use record::Endpoint;
use serde_json::Value;

/// A request body is read as a tree of it would be, and what is spliced in is there and nothing else changed.
pub fn request(input: &[u8]) {
    for endpoint in [Endpoint::Chat, Endpoint::Completion, Endpoint::OllamaChat] {
        let read = RequestFacts::read(endpoint, input);
        let tree = serde_json::from_slice::<Value>(input).ok();
        let Ok(facts) = read else {
            if let Some(Value::Object(_)) = tree {
                assert_ne!(read.err(), Some(BodyError::NotJson), "a tree reads it");
            }
            continue;
        };
        places(endpoint, &facts, input);
        let Some(tree) = tree else { continue };
        if endpoint != Endpoint::OllamaChat {
            let model = tree.get("model").and_then(Value::as_str);
            assert_eq!(facts.model.as_deref(), model, "the model");
        }
        for wanted in [UsageWanted::AtEnd, UsageWanted::Running] {
            let Some(asked) = facts.ask_for_usage(endpoint, wanted) else {
                continue;
            };
            let mut spliced: Value =
                serde_json::from_slice(&asked.splice.apply(input)).expect("what was JSON is JSON");
            let options = spliced["stream_options"].take();
            let wants_running = wanted == UsageWanted::Running;
            assert_eq!(
                options["continuous_usage_stats"] == true,
                wants_running,
                "running"
            );
            assert!(
                !asked.strip.takes_chunk() || options["include_usage"] == true,
                "at the end"
            );
            let mut before = tree.clone();
            before["stream_options"] = Value::Null;
            assert_eq!(spliced, before, "nothing else changed");
        }
    }
}

/// Every place lies in the body, and another model's name is read back from where it was put.
fn places(endpoint: Endpoint, facts: &RequestFacts, body: &[u8]) {
    let all = [
        &facts.model_value,
        &facts.prompt,
        &facts.system,
        &facts.tools,
        &facts.cache_salt,
        &facts.claims.user,
        &facts.claims.session,
    ];
    for place in all.into_iter().flatten() {
        assert!(body.get(place.clone()).is_some(), "{place:?} lies in the body");
        let _text = facts.text(body, place, 1_024);
    }
    if let Some(splice) = facts.model_splice("a \"new\"\nname") {
        let renamed = splice.apply(body);
        if splice.text.starts_with('"') {
            let again = RequestFacts::read(endpoint, &renamed).expect("as before");
            assert_eq!(again.model.as_deref(), Some("a \"new\"\nname"));
        }
    }
}

/// A form is read within its bounds, and what is spliced in is read back.
pub fn form(input: &[u8]) {
    let content_type = b"multipart/form-data; boundary=x";
    let _any_type = RequestFacts::read_form(input, b"--x--");
    let Ok(facts) = RequestFacts::read_form(content_type, input) else {
        return;
    };
    places(Endpoint::Transcription, &facts, input);
    for wanted in [UsageWanted::AtEnd, UsageWanted::Running] {
        if let Some(asked) = facts.ask_for_usage(Endpoint::Transcription, wanted) {
            let spliced = asked.splice.apply(input);
            let again = RequestFacts::read_form(content_type, &spliced).expect("still a form");
            assert_eq!(again.model, facts.model);
            assert_eq!(
                again.ask_for_usage(Endpoint::Transcription, wanted),
                None,
                "now said"
            );
        }
    }
}
