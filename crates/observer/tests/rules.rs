//! `vectors/RULES.md` names what holds each rule of the specification: everything that it names is there, and
//! it names every vector of ours.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Each file of vectors of ours.
const OWN: [&str; 8] = [
    include_str!("../vectors/own/chat.json"),
    include_str!("../vectors/own/completion.json"),
    include_str!("../vectors/own/responses.json"),
    include_str!("../vectors/own/anthropic.json"),
    include_str!("../vectors/own/ollama.json"),
    include_str!("../vectors/own/audio.json"),
    include_str!("../vectors/own/bodies.json"),
    include_str!("../vectors/own/requests.json"),
];

/// The names of the vectors in a file.
fn names(text: &str) -> BTreeSet<String> {
    let vectors: Vec<Value> = serde_json::from_str(text).expect("a list of vectors");
    let name = |vector: &Value| vector["name"].as_str().expect("a name").to_owned();
    vectors.iter().map(name).collect()
}

/// Each rule with what holds it.
fn rules() -> Vec<(String, Vec<String>)> {
    let mut rules = Vec::new();
    for line in include_str!("../vectors/RULES.md").lines() {
        let Some((rule, by)) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
            .and_then(|row| row.split_once(" | "))
        else {
            continue;
        };
        if rule != "rule" {
            let by = by.split(", ").map(|name| name.trim_matches('`').to_owned());
            rules.push((rule.to_owned(), by.collect()));
        }
    }
    rules
}

#[test]
fn every_rule_is_held_by_something_that_exists() {
    let own: BTreeSet<String> = OWN.iter().flat_map(|text| names(text)).collect();
    let payloads = names(include_str!("../vectors/payloads.json"));
    let framing = names(include_str!("../vectors/sse_framing.json"));
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let has_test = |file: &str, test: &str| {
        let text = std::fs::read_to_string(project.join(file));
        text.is_ok_and(|text| text.contains(&format!("fn {test}(")))
    };
    let exists = |name: &str| match name.split_once(':') {
        None => own.contains(name),
        Some(("payload", name)) => payloads.contains(name),
        Some(("framing", name)) => framing.contains(name),
        Some((file, test)) => has_test(file, test.trim()),
    };
    let rules = rules();
    assert!(rules.len() >= 110, "{} rules were found", rules.len());
    for (rule, by) in &rules {
        assert!(!by.is_empty(), "{rule}: held by nothing");
        for name in by {
            assert!(exists(name), "{rule}: there is no {name}");
        }
    }
}

#[test]
fn every_vector_holds_a_rule() {
    let named: BTreeSet<String> = rules().into_iter().flat_map(|(_, by)| by).collect();
    let all = OWN.iter().flat_map(|text| names(text));
    let given = names(include_str!("../vectors/payloads.json"))
        .into_iter()
        .map(|name| format!("payload:{name}"));
    let framing = names(include_str!("../vectors/sse_framing.json"))
        .into_iter()
        .map(|name| format!("framing:{name}"));
    for name in all.chain(given).chain(framing) {
        assert!(
            named.contains(&name),
            "{name} is no rule's vector in vectors/RULES.md"
        );
    }
}
