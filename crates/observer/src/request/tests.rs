//! What is kept of a request: places in its body, never copies. What is read where and what is added to it is
//! in the vectors (`tests/requests.rs`).

use super::*;

fn read(body: &str) -> Result<RequestFacts, BodyError> {
    RequestFacts::read(Endpoint::Chat, body.as_bytes())
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
