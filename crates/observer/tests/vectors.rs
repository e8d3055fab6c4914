//! Our own vectors: for each rule of what is measured, the bytes and what must be learnt from them.
//!
//! Each vector is played three times: in its own reads, at its own times; byte by byte; and cut at every
//! place. Times hold for the first; everything else, the client's bytes too, for all. `vectors/README.md`
//! says what the fields mean.

use std::time::{Duration, Instant};

use observer::{
    End, Forward, Framing, Observation, ObservedBody, ObservedStream, Sent, StreamKind, UsageStrip, outcome,
};
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
const OF_THE_READS: [&str; 14] = [
    "first",
    "upstream_ttft",
    "generation_ms",
    "ended",
    "itl_count",
    "itl_mean_us",
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
    /// Milliseconds from t0 at which each read came; one a millisecond when it is not given.
    #[serde(default)]
    at: Vec<u64>,
    /// Milliseconds from t0 at which the replica had the request.
    sent_at: Option<u64>,
    /// What is taken out: `chunk`, `members` or `both`.
    strip: Option<String>,
    /// What the client gets where that differs from what came.
    client: Option<Vec<String>>,
    /// The stream repeats an old answer.
    #[serde(default)]
    replay: bool,
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

fn strip(word: Option<&str>) -> UsageStrip {
    match word {
        None => UsageStrip::Nothing,
        Some("chunk") => UsageStrip::Chunk,
        Some("members") => UsageStrip::Members,
        Some("both") => UsageStrip::ChunkAndMembers,
        Some(other) => panic!("nothing is taken out by the name {other}"),
    }
}

/// Plays reads at the vector's times, checks what of them the client gets, and says what was learnt.
fn play(vector: &Vector, reads: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Map<String, Value> {
    let name = &vector.name;
    let head = origin();
    let sent = Sent {
        head,
        upstream: vector.sent_at.map(|ms| head + Duration::from_millis(ms)),
    };
    let came = |read: usize| {
        let ms = vector.at.get(read).copied();
        head + Duration::from_millis(ms.unwrap_or_else(|| u64::try_from(read).expect("a few reads")))
    };
    let (seen, streamed) = match form(&vector.dialect) {
        Form::Stream(dialect, framing) => {
            let mut stream = ObservedStream::new(StreamKind {
                choices: vector.choices,
                prompts: vector.prompts,
                strip: strip(vector.strip.as_deref()),
                replay: vector.replay,
                ..StreamKind::new(dialect, framing)
            });
            let (mut received, mut handed_on) = (Vec::new(), Vec::new());
            for (place, read) in reads.into_iter().enumerate() {
                received.extend_from_slice(read.as_ref());
                match stream.push(came(place), read.as_ref()) {
                    Forward::Unchanged => handed_on.extend_from_slice(read.as_ref()),
                    Forward::Instead(bytes) => handed_on.extend_from_slice(&bytes),
                }
            }
            handed_on.extend_from_slice(&stream.finish());
            let client = vector.client.as_ref().map(|reads| reads.concat().into_bytes());
            assert_eq!(
                String::from_utf8_lossy(&handed_on),
                String::from_utf8_lossy(&client.unwrap_or(received)),
                "{name}: what the client gets"
            );
            (stream.into_observation(sent), true)
        }
        Form::Body(dialect) => {
            let mut body = ObservedBody::new(dialect);
            for (place, read) in reads.into_iter().enumerate() {
                body.push(came(place), read.as_ref());
            }
            (body.into_observation(sent, true), false)
        }
    };
    learnt(&seen, sent, streamed)
}

/// Everything that a vector may ask for.
fn learnt(seen: &Observation, sent: Sent, streamed: bool) -> Map<String, Value> {
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
        "upstream_ttft": ms(times.upstream_ttft),
        "ttst_ms": ms(times.ttst),
        "generation_ms": ms(times.generation),
        "ended": ms(seen.ended.map(|ended| ended - sent.head)),
        "itl_count": times.itl_count,
        "itl_mean_us": us(times.itl_mean),
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
        "removed": seen.removed,
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
        vectors.len() >= 200,
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
        let keep_facts = |learnt: &mut Map<String, Value>| {
            for field in OF_THE_READS {
                learnt.remove(field);
            }
        };
        keep_facts(&mut whole);
        let mut single = play(&vector, bytes.chunks(1));
        keep_facts(&mut single);
        assert_eq!(single, whole, "{} byte by byte", vector.name);
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let mut halves = play(&vector, [left, right]);
            keep_facts(&mut halves);
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
