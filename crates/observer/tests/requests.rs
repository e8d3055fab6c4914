//! Our own vectors of requests: the body as the client sends it, what must be read in it, and the body as the
//! replica gets it. `vectors/README.md` says what the fields mean.

use std::borrow::Cow;
use std::ops::Range;

use observer::{BodyError, RequestFacts, UsageStrip, UsageWanted};
use record::Endpoint;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Longest identifier that the vectors ask for.
const IDENTIFIER_LEN_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// The section of the specification, and its rule.
    rule: String,
    endpoint: String,
    /// The header's value where the body is a form.
    content_type: Option<String>,
    body: Vec<Piece>,
    expect: Map<String, Value>,
    usage: Option<Usage>,
    rename: Option<Rename>,
}

/// A part of a body.
#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Hex { hex: String },
    Repeated { text: String, times: Option<usize> },
}

/// What is asked for on the client's behalf; `None` where the body stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usage {
    at_end: Option<Asked>,
    running: Option<Asked>,
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
struct Asked {
    replica: String,
    strip: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    to: String,
    replica: String,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../vectors/own/requests.json");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("own/requests.json: {error}"))
}

// === impl Vector ===

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.body {
            match piece {
                Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Piece::Repeated { text, times } => bytes.extend(text.repeat(times.unwrap_or(1)).bytes()),
                Piece::Hex { hex } => bytes.extend(hex.as_bytes().chunks(2).map(|pair| {
                    let pair = std::str::from_utf8(pair).expect("hexadecimal digits");
                    u8::from_str_radix(pair, 16).expect("hexadecimal digits")
                })),
            }
        }
        bytes
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&self.endpoint)
            .unwrap_or_else(|| panic!("{}: no endpoint {}", self.name, self.endpoint))
    }

    fn read(&self, body: &[u8]) -> Result<RequestFacts, BodyError> {
        match &self.content_type {
            Some(header) => RequestFacts::read_form(header.as_bytes(), body),
            None => RequestFacts::read(self.endpoint(), body),
        }
    }
}

/// Everything that a vector may ask for.
fn learnt(read: Result<&RequestFacts, BodyError>, body: &[u8]) -> Map<String, Value> {
    let value = match read {
        Err(refused) => json!({ "refused": refused.to_string() }),
        Ok(facts) => {
            let shape = &facts.shape;
            let text = |place: &Option<Range<usize>>| {
                let place = place.as_ref()?;
                facts.text(body, place, IDENTIFIER_LEN_MAX).map(Cow::into_owned)
            };
            json!({
                "model": facts.model.as_deref(),
                "stream": shape.stream,
                "n": shape.choices,
                "choices": facts.choices(),
                "prompts": facts.prompts,
                "max_tokens": shape.max_tokens.map(|tokens| tokens.0),
                "priority": shape.priority,
                "tools": shape.tools,
                "response_format": shape.response_format.map(record::ResponseFormat::as_str),
                "images": shape.images,
                "audios": shape.audios,
                "service_tier": shape.service_tier.map(record::ServiceTier::as_str),
                "user": text(&facts.claims.user),
                "session": text(&facts.claims.session),
            })
        }
    };
    let Value::Object(learnt) = value else {
        panic!("an object was written")
    };
    learnt
}

/// The body as the replica gets it, and what is taken out of the answer.
fn asked(vector: &Vector, facts: &RequestFacts, body: &[u8], wanted: UsageWanted) -> Option<Asked> {
    let asked = facts.ask_for_usage(vector.endpoint(), wanted)?;
    let replica = asked.splice.apply(body);
    assert_eq!(
        replica.len(),
        asked.splice.len_after(body.len()),
        "{}: the announced length is the real one",
        vector.name
    );
    if vector.content_type.is_none() {
        serde_json::from_slice::<Value>(&replica).expect("still JSON");
    }
    let strip = match asked.strip {
        UsageStrip::Nothing => "nothing",
        UsageStrip::Chunk => "chunk",
        UsageStrip::Members => "members",
        UsageStrip::ChunkAndMembers => "both",
    };
    Some(Asked {
        replica: String::from_utf8(replica).expect("the vector is text"),
        strip: strip.to_owned(),
    })
}

#[test]
fn every_request_is_read_as_its_vector_says() {
    let vectors = vectors();
    assert!(
        vectors.len() >= 90,
        "{} vectors; one for each rule",
        vectors.len()
    );
    let mut wrong = Vec::new();
    for vector in &vectors {
        let body = vector.bytes();
        let facts = vector.read(&body);
        let got = learnt(facts.as_ref().map_err(|error| *error), &body);
        for (field, want) in &vector.expect {
            let have = got.get(field);
            if have != Some(want) {
                wrong.push(format!(
                    "{} ({}): {field} is {have:?}, not {want}",
                    vector.name, vector.rule
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_goes_to_the_replica_is_the_clients_text_and_one_splice() {
    for vector in vectors() {
        let body = vector.bytes();
        let Ok(facts) = vector.read(&body) else {
            continue;
        };
        if let Some(usage) = &vector.usage {
            for (wanted, want) in [
                (UsageWanted::AtEnd, &usage.at_end),
                (UsageWanted::Running, &usage.running),
            ] {
                let got = asked(&vector, &facts, &body, wanted);
                assert_eq!(got.as_ref(), want.as_ref(), "{} {wanted:?}", vector.name);
            }
        }
        if let Some(rename) = &vector.rename {
            let splice = facts.model_splice(&rename.to).expect("a model was asked for");
            let replica = String::from_utf8(splice.apply(&body)).expect("the vector is text");
            assert_eq!(replica, rename.replica, "{}", vector.name);
        }
    }
}

#[test]
fn a_body_that_is_cut_is_refused_for_being_cut_or_for_what_stands_before() {
    for vector in vectors() {
        let body = vector.bytes();
        let whole = vector.read(&body).err();
        for cut in 0..body.len().min(2_000) {
            let left = body.get(..cut).unwrap_or_default();
            if let Err(refused) = vector.read(left) {
                let unread = matches!(
                    refused,
                    BodyError::NotJson | BodyError::NotForm | BodyError::ModelUnreadable
                );
                assert!(
                    unread || Some(refused) == whole,
                    "{} cut at {cut}: {refused}",
                    vector.name
                );
            }
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<String> = vectors().into_iter().map(|vector| vector.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a name says which vector failed");
}
