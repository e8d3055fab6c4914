//! Our own vectors: for each rule of what is measured, the bytes and what must be learnt from them.
//!
//! Each vector is played three times: in its own reads, a millisecond apart; byte by byte; and cut at every
//! place. Times hold for the first, everything else for all. `vectors/README.md` says what the fields mean.

use std::time::{Duration, Instant};

use observer::{End, Forward, Framing, Observation, ObservedBody, ObservedStream, Sent, StreamKind, outcome};
use record::Dialect;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Each file of vectors by its name.
const FILES: [(&str, &str); 7] = [
    ("chat", include_str!("../vectors/own/chat.json")),
    ("completion", include_str!("../vectors/own/completion.json")),
    ("responses", include_str!("../vectors/own/responses.json")),
    ("anthropic", include_str!("../vectors/own/anthropic.json")),
    ("ollama", include_str!("../vectors/own/ollama.json")),
    ("audio", include_str!("../vectors/own/audio.json")),
    ("bodies", include_str!("../vectors/own/bodies.json")),
];

/// What depends on how the bytes came: only the vector's own reads have it.
const OF_THE_READS: [&str; 9] = [
    "first",
    "first_output",
    "last",
    "ttfb",
    "ttst_ms",
    "tpot_us",
    "arrivals",
    "itl_max_ms",
    "stalls",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// The section of the specification, and its rule.
    rule: String,
    dialect: String,
    #[serde(default = "one")]
    choices: u32,
    #[serde(default = "one")]
    prompts: u32,
    reads: Vec<String>,
    expect: Map<String, Value>,
}

/// Whether an answer is watched as a stream or as one body.
#[derive(Clone, Copy)]
enum Form {
    Stream(Dialect, Framing),
    Body(Dialect),
}

fn one() -> u32 {
    1
}

fn vectors() -> Vec<Vector> {
    let mut all = Vec::new();
    for (file, text) in FILES {
        let vectors: Vec<Vector> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("own/{file}.json: {error}"));
        all.extend(vectors);
    }
    all
}

fn form(word: &str) -> Form {
    match word {
        "chat" => Form::Stream(Dialect::OpenaiChat, Framing::Sse),
        "completion" => Form::Stream(Dialect::OpenaiText, Framing::Sse),
        "responses" => Form::Stream(Dialect::OpenaiResponses, Framing::Sse),
        "anthropic" => Form::Stream(Dialect::Anthropic, Framing::Sse),
        "audio" => Form::Stream(Dialect::Audio, Framing::Sse),
        "ollama" => Form::Stream(Dialect::Ollama, Framing::Lines),
        "chat_body" => Form::Body(Dialect::OpenaiChat),
        "responses_body" => Form::Body(Dialect::OpenaiResponses),
        "anthropic_body" => Form::Body(Dialect::Anthropic),
        "ollama_body" => Form::Body(Dialect::Ollama),
        "audio_body" => Form::Body(Dialect::Audio),
        "json_body" => Form::Body(Dialect::Json),
        other => panic!("unknown dialect {other}"),
    }
}

/// An arbitrary origin; every later instant is computed from it.
fn origin() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin; every later instant is computed from it"
    )]
    Instant::now()
}

/// Plays reads a millisecond apart, checks that they pass unchanged, and says what was learnt.
fn play(vector: &Vector, reads: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Map<String, Value> {
    let name = &vector.name;
    let head = origin();
    let sent = Sent { head, upstream: None };
    let mut now = head;
    let (seen, streamed) = match form(&vector.dialect) {
        Form::Stream(dialect, framing) => {
            let mut stream = ObservedStream::new(StreamKind {
                choices: vector.choices,
                prompts: vector.prompts,
                ..StreamKind::new(dialect, framing)
            });
            for read in reads {
                assert_eq!(
                    stream.push(now, read.as_ref()),
                    Forward::Unchanged,
                    "{name}: bytes pass"
                );
                now += Duration::from_millis(1);
            }
            assert!(stream.finish().is_empty(), "{name}: nothing was held back");
            (stream.into_observation(sent), true)
        }
        Form::Body(dialect) => {
            let mut body = ObservedBody::new(dialect);
            for read in reads {
                body.push(now, read.as_ref());
                now += Duration::from_millis(1);
            }
            (body.into_observation(sent, true), false)
        }
    };
    learnt(&seen, streamed)
}

/// Everything that a vector may ask for.
fn learnt(seen: &Observation, streamed: bool) -> Map<String, Value> {
    let ms = |time: Option<Duration>| time.map(|time| u64::try_from(time.as_millis()).expect("a short time"));
    let us = |time: Option<Duration>| time.map(|time| u64::try_from(time.as_micros()).expect("a short time"));
    let (times, usage, engine) = (&seen.times, &seen.usage, &seen.engine);
    let last = times
        .ttft
        .map(|first| first + times.generation.unwrap_or_default());
    let Value::Object(learnt) = json!({
        "first": ms(times.ttft),
        "first_output": ms(times.ttfo),
        "last": ms(last),
        "ttfb": ms(times.ttfb),
        "ttst_ms": ms(times.ttst),
        "tpot_us": us(times.tpot),
        "itl_max_ms": ms(times.itl_max),
        "stalls": times.stalls,
        "arrivals": usage.arrivals,
        "token_events": usage.token_events,
        "prompt": usage.prompt.map(|tokens| tokens.0),
        "completion": usage.completion.map(|tokens| tokens.0),
        "cached": usage.cached.map(|tokens| tokens.0),
        "cache_write": usage.cache_write.map(|tokens| tokens.0),
        "reasoning": usage.reasoning.map(|tokens| tokens.0),
        "audio_seconds": usage.audio_seconds,
        "source": usage.source.as_str(),
        "engine_queue_us": us(engine.queue),
        "engine_ttft_us": us(engine.ttft),
        "engine_tps": engine.tokens_per_second,
        "accept": engine.spec_accept_rate,
        "model": seen.model.as_deref(),
        "finish": seen.finish.map(record::FinishReason::as_str),
        "error": seen.error.as_deref(),
        "terminal": seen.terminal,
        "flags": seen.flags.names().collect::<Vec<_>>(),
        "outcome": outcome(End::Answered(200), seen.ending, streamed).as_str(),
    }) else {
        panic!("an object was written")
    };
    learnt
}

#[test]
fn every_rule_holds_for_its_vector() {
    let vectors = vectors();
    assert!(
        vectors.len() >= 100,
        "{} vectors; one for each rule",
        vectors.len()
    );
    let mut wrong = Vec::new();
    for vector in &vectors {
        let got = play(vector, vector.reads.iter().map(String::as_bytes));
        for (field, want) in &vector.expect {
            let have = got
                .get(field)
                .unwrap_or_else(|| panic!("{}: nothing is called {field}", vector.name));
            if have != want {
                wrong.push(format!(
                    "{} ({}): {field} is {have}, not {want}",
                    vector.name, vector.rule
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_cut_changes_what_is_learnt() {
    for vector in vectors() {
        let bytes = vector.reads.concat().into_bytes();
        let mut whole = play(&vector, [&bytes[..]]);
        let strip = |learnt: &mut Map<String, Value>| {
            for field in OF_THE_READS {
                learnt.remove(field);
            }
        };
        strip(&mut whole);
        let mut single = play(&vector, bytes.chunks(1));
        strip(&mut single);
        assert_eq!(single, whole, "{} byte by byte", vector.name);
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let mut halves = play(&vector, [left, right]);
            strip(&mut halves);
            assert_eq!(halves, whole, "{} cut at {cut}", vector.name);
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
