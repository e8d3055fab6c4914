//! Payload vectors at every cut, and the removal of the usage chunk.

use std::time::Duration;

use record::{FinishReason, Outcome, Tokens, UsageSource};

use super::*;
use crate::observation::{End, outcome};

pub(super) fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin; every later instant is computed from it"
    )]
    Instant::now()
}

pub(super) fn kind(dialect: Dialect, choices: u32, strip_usage: bool) -> StreamKind {
    let framing = if dialect == Dialect::Ollama {
        Framing::Lines
    } else {
        Framing::Sse
    };
    StreamKind {
        choices,
        strip: if strip_usage {
            UsageStrip::Chunk
        } else {
            UsageStrip::Nothing
        },
        ..StreamKind::new(dialect, framing)
    }
}

/// Plays pieces a millisecond apart; gives what the client got and what was learnt.
pub(super) fn play(
    kind: StreamKind,
    pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> (Vec<u8>, Observation) {
    let t0 = start();
    let mut stream = ObservedStream::new(kind);
    let mut out = Vec::new();
    let mut now = t0;
    for piece in pieces {
        let piece = piece.as_ref();
        match stream.push(now, piece) {
            Forward::Unchanged => out.extend_from_slice(piece),
            Forward::Instead(bytes) => out.extend_from_slice(&bytes),
        }
        now += Duration::from_millis(1);
    }
    out.extend_from_slice(&stream.finish());
    (
        out,
        stream.into_observation(Sent {
            head: t0,
            upstream: None,
        }),
    )
}

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    dialect: String,
    n: u32,
    events: Vec<VectorEvent>,
    expect: Expect,
}

#[derive(serde::Deserialize)]
struct VectorEvent {
    event: String,
    data: String,
}

#[derive(serde::Deserialize)]
struct Expect {
    first: Option<u64>,
    first_output: Option<u64>,
    last: Option<u64>,
    token_events: u64,
    outcome: String,
    usage: Option<ExpectUsage>,
    usage_source: Option<String>,
    finish: Option<Vec<String>>,
}

#[derive(serde::Deserialize)]
struct ExpectUsage {
    prompt: Option<u64>,
    completion: Option<u64>,
    cached: Option<u64>,
    reasoning: Option<u64>,
}

fn vectors() -> Vec<Vector> {
    let given: Vec<Vector> = serde_json::from_str(include_str!("../../vectors/payloads.json")).unwrap();
    assert_eq!(given.len(), 24, "the fixture is whole");
    given
}

fn dialect(word: &str) -> Dialect {
    match word {
        "chat" => Dialect::OpenaiChat,
        "completion" => Dialect::OpenaiText,
        "anthropic" => Dialect::Anthropic,
        "responses" => Dialect::OpenaiResponses,
        "ollama" => Dialect::Ollama,
        "audio" => Dialect::Audio,
        other => panic!("unknown dialect {other}"),
    }
}

fn encode(dialect: Dialect, event: &VectorEvent) -> Vec<u8> {
    if dialect == Dialect::Ollama {
        return format!("{}\n", event.data).into_bytes();
    }
    let name = if event.event == "message" {
        String::new()
    } else {
        format!("event: {}\n", event.event)
    };
    format!("{name}data: {}\n\n", event.data).into_bytes()
}

fn ms(time: Option<Duration>) -> Option<u64> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap())
}

#[test]
fn every_payload_vector_gives_its_record() {
    for vector in vectors() {
        let name = &vector.name;
        let dialect = dialect(&vector.dialect);
        let events: Vec<_> = vector.events.iter().map(|event| encode(dialect, event)).collect();
        // One event a millisecond: the time of an event is its index.
        let (out, seen) = play(kind(dialect, vector.n, false), events.iter().map(Vec::as_slice));
        assert_eq!(out, events.concat(), "{name}: bytes pass unchanged");
        let expect = vector.expect;
        assert_eq!(ms(seen.times.ttft), expect.first, "{name}: first token");
        assert_eq!(
            ms(seen.times.ttfo),
            expect.first_output,
            "{name}: first output token"
        );
        let last = seen.times.generation.map_or(ms(seen.times.ttft), |generation| {
            ms(seen.times.ttft.map(|first| first + generation))
        });
        assert_eq!(last, expect.last, "{name}: last token");
        assert_eq!(
            seen.usage.token_events,
            Some(expect.token_events),
            "{name}: token events"
        );
        let got = outcome(End::Answered(200), seen.ending, true);
        assert_eq!(got.as_str(), expect.outcome, "{name}: outcome");
        let source = match expect.usage_source.as_deref() {
            None => UsageSource::None,
            // Only the beginning was reported: counts so far, not the final ones.
            Some("partial") => UsageSource::Continuous,
            Some(word) => UsageSource::parse(word).unwrap(),
        };
        assert_eq!(seen.usage.source, source, "{name}: source");
        let want = expect.usage.unwrap_or(ExpectUsage {
            prompt: None,
            completion: None,
            cached: None,
            reasoning: None,
        });
        assert_eq!(
            seen.usage.prompt,
            want.prompt.map(Tokens),
            "{name}: prompt tokens"
        );
        assert_eq!(
            seen.usage.completion,
            want.completion.map(Tokens),
            "{name}: completion tokens"
        );
        assert_eq!(
            seen.usage.cached,
            want.cached.map(Tokens),
            "{name}: cached tokens"
        );
        assert_eq!(
            seen.usage.reasoning,
            want.reasoning.map(Tokens),
            "{name}: reasoning tokens"
        );
        if let Some(finish) = expect.finish.as_deref().and_then(<[String]>::first) {
            assert_eq!(
                seen.finish,
                Some(FinishReason::normalise(finish)),
                "{name}: finish reason"
            );
        }
    }
}

/// A fingerprint of everything that must not depend on how the bytes were cut.
pub(super) fn facts(seen: &Observation) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        seen.model,
        seen.finish,
        seen.ending,
        seen.error,
        seen.terminal,
        seen.engine,
        seen.flags,
        Usage {
            arrivals: None,
            ..seen.usage
        }
    )
}

#[test]
fn every_payload_vector_gives_the_same_record_at_every_cut() {
    for vector in vectors() {
        let dialect = dialect(&vector.dialect);
        let bytes: Vec<u8> = vector
            .events
            .iter()
            .flat_map(|event| encode(dialect, event))
            .collect();
        for strip in [false, true] {
            let (whole_out, whole) = play(kind(dialect, vector.n, strip), [&bytes[..]]);
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                let (out, seen) = play(kind(dialect, vector.n, strip), [left, right]);
                assert_eq!(facts(&seen), facts(&whole), "{} cut at {cut}", vector.name);
                assert_eq!(out, whole_out, "{} strip {strip} cut at {cut}", vector.name);
            }
        }
    }
}

#[test]
fn an_event_like_the_last_one_is_read_as_if_it_were_the_first() {
    let event = |text: &str, rest: &str| {
        format!(
            "data: {{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"{rest}}}}}]}}\n\n"
        )
    };
    let usual = event("a", "");
    for (other, tokens, malformed) in [
        (event("b", ""), 1, 0),
        (event("", ""), 1, 0),
        (event("\\\"", ""), 1, 0),
        (event("\\\\", ""), 1, 0),
        (event("\\", ""), 0, 1),
        (event("x\",\"role\":\"y", ""), 1, 0),
        (event("\",\"role\":\"", ""), 0, 0),
        (event("\",\"content\":\"", ""), 1, 0),
        (event("z", ",\"reasoning\":\"r\""), 1, 0),
    ] {
        let t0 = start();
        let mut fresh = ObservedStream::new(kind(Dialect::OpenaiChat, 1, false));
        fresh.push(t0, other.as_bytes());
        let mut learned = ObservedStream::new(kind(Dialect::OpenaiChat, 1, false));
        learned.push(t0, usual.as_bytes());
        learned.push(t0, other.as_bytes());
        assert_eq!(
            (fresh.token_events(), fresh.malformed),
            (tokens, malformed),
            "{other}"
        );
        assert_eq!(learned.token_events() - 1, fresh.token_events(), "{other}");
        assert_eq!(learned.malformed, fresh.malformed, "{other}");
    }
}

#[test]
fn a_usage_chunk_with_crlf_is_taken_out_without_a_trace() {
    let before = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\r\n\r\n";
    let usage = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\r\n\r\n";
    let after = b"data: [DONE]\r\n\r\n";
    let body = [&before[..], usage, after].concat();
    for cut in 0..body.len() {
        let (left, right) = body.split_at(cut);
        let (out, _) = play(kind(Dialect::OpenaiChat, 1, true), [left, right]);
        assert_eq!(out, [&before[..], after].concat(), "cut at {cut}");
    }
}

#[test]
fn an_event_too_long_to_hold_back_goes_on_before_its_end() {
    let t0 = start();
    let mut stream = ObservedStream::new(kind(Dialect::OpenaiChat, 1, true));
    let mut out = 0;
    let long = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"",
        "x".repeat(40_000)
    );
    for piece in long.as_bytes().chunks(1_000) {
        match stream.push(t0, piece) {
            Forward::Unchanged => out += piece.len(),
            Forward::Instead(bytes) => out += bytes.len(),
        }
    }
    assert_eq!(out, long.len(), "nothing waits for the end of a long event");
    let rest = b"}}]}\n\n";
    assert_eq!(
        stream.push(t0, rest),
        Forward::Unchanged,
        "and its end goes on as well"
    );
    assert_eq!(stream.token_events(), 1);
}

#[test]
fn a_stream_that_breaks_off_gives_back_what_was_held() {
    let body = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choi";
    let (out, seen) = play(kind(Dialect::OpenaiChat, 1, true), body.chunks(5));
    assert_eq!(out, body);
    assert_eq!(
        outcome(End::UpstreamBroke, seen.ending, true),
        Outcome::UpstreamTruncated
    );
}
