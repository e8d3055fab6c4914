//! One function for each fuzz target: takes any bytes, panics when a promise is broken.

// Both who includes this file look for its parts from its own folder.
#[path = "checks/requests.rs"]
mod requests;
#[path = "checks/strip.rs"]
mod strip;

use std::time::{Duration, Instant};

use observer::{
    EVENT_LEN_MAX, Forward, Framer, Framing, Observation, ObservedBody, ObservedStream, Sent, StreamKind,
    UsageStrip,
};
use record::{Dialect, UsageSource};

pub use requests::{form, request};
pub use strip::strip;

/// A check by the name of its target and its corpus.
pub type Check = (&'static str, fn(&[u8]));

/// Every check.
pub const ALL: [Check; 9] = [
    ("framing", framing),
    ("choices", choices),
    ("responses", responses),
    ("anthropic", anthropic),
    ("ollama", ollama),
    ("body", body),
    ("request", request),
    ("form", form),
    ("strip", strip),
];

const STRIPS: [UsageStrip; 4] = [
    UsageStrip::Nothing,
    UsageStrip::Chunk,
    UsageStrip::Members,
    UsageStrip::ChunkAndMembers,
];

/// Any cut gives the same events, each at its place in the stream.
pub fn framing(input: &[u8]) {
    for framing in [Framing::Sse, Framing::Lines] {
        let whole = events(framing, &[input]);
        assert_eq!(whole, events(framing, &single(input)), "byte by byte");
        assert_eq!(whole, events(framing, &cut(input)), "cut somewhere");
        for Seen { data, data_start, .. } in &whole {
            if let Some(at) = data_start {
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                assert_eq!(
                    input.get(at..at + data.len()),
                    Some(data.as_slice()),
                    "data is there"
                );
            }
        }
    }
}

/// An event as a value. Its end is left out: when a read ends between a CR and its LF, it is one byte nearer.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    name: Vec<u8>,
    data: Vec<u8>,
    start: u64,
    data_start: Option<u64>,
}

fn events(framing: Framing, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut framer = Framer::new(framing);
    let (mut seen, mut behind) = (Vec::new(), 0);
    let mut sink = |event: observer::Event<'_>| {
        assert!(
            behind <= event.start && event.start < event.end,
            "events follow each other"
        );
        behind = event.end;
        seen.push(Seen {
            name: event.name.to_vec(),
            data: event.data.to_vec(),
            start: event.start,
            data_start: event.data_start,
        });
    };
    for piece in pieces {
        framer.push(piece, &mut sink);
    }
    framer.finish(&mut sink);
    seen
}

/// Chat, text completions and transcriptions.
pub fn choices(input: &[u8]) {
    for dialect in [Dialect::OpenaiChat, Dialect::OpenaiText, Dialect::Audio] {
        stream(StreamKind::new(dialect, Framing::Sse), input);
    }
    let many = StreamKind {
        choices: 6,
        prompts: 3,
        ..StreamKind::new(Dialect::OpenaiText, Framing::Sse)
    };
    stream(many, input);
}

/// OpenAI responses.
pub fn responses(input: &[u8]) {
    stream(StreamKind::new(Dialect::OpenaiResponses, Framing::Sse), input);
}

/// Anthropic messages.
pub fn anthropic(input: &[u8]) {
    stream(StreamKind::new(Dialect::Anthropic, Framing::Sse), input);
}

/// Ollama.
pub fn ollama(input: &[u8]) {
    stream(StreamKind::new(Dialect::Ollama, Framing::Lines), input);
}

/// A stream is read alike at any cut, and goes to the client byte for byte but for what was taken out.
fn stream(kind: StreamKind, input: &[u8]) {
    for strip in STRIPS {
        let kind = StreamKind { strip, ..kind };
        let (out, whole) = play(kind, &[input]);
        for pieces in [cut(input), single(input)] {
            let (cut_out, seen) = play(kind, &pieces);
            assert_eq!(facts(&seen), facts(&whole), "{strip:?}");
            assert_eq!(cut_out, out, "{strip:?}");
        }
        if whole.removed == 0 {
            assert_eq!(out, input, "{strip:?}: nothing was taken out");
        }
        believable(&whole);
    }
}

/// Plays pieces a millisecond apart; gives what the client got and what was learnt.
fn play(kind: StreamKind, pieces: &[&[u8]]) -> (Vec<u8>, Observation) {
    let t0 = origin();
    let mut observed = ObservedStream::new(kind);
    let mut out = Vec::new();
    let mut now = t0;
    for piece in pieces {
        now += Duration::from_millis(1);
        match observed.push(now, piece) {
            Forward::Unchanged => out.extend_from_slice(piece),
            Forward::Instead(bytes) => out.extend_from_slice(&bytes),
        }
    }
    out.extend_from_slice(&observed.finish());
    let sent = Sent {
        head: t0,
        upstream: Some(t0),
    };
    (out, observed.into_observation(sent))
}

/// Everything that must not depend on how the bytes were cut.
fn facts(seen: &Observation) -> String {
    let usage = record::Usage {
        arrivals: None,
        ..seen.usage
    };
    let Observation {
        model,
        finish,
        ending,
        error,
        terminal,
        engine,
        flags,
        malformed,
        too_long,
        removed,
        ..
    } = seen;
    format!(
        "{model:?} {finish:?} {ending:?} {error:?} {terminal:?} {usage:?} {engine:?} {flags:?} {malformed} \
         {too_long} {removed}"
    )
}

/// What holds for every observation.
fn believable(seen: &Observation) {
    let engine = &seen.engine;
    let share = engine.spec_accept_rate;
    assert!(
        share.is_none_or(|share| (0.0..=1.0).contains(&share)),
        "{share:?}"
    );
    for number in [engine.tokens_per_second, seen.usage.audio_seconds] {
        assert!(number.is_none_or(|number| number.is_finite() && number >= 0.0));
    }
    let usage = &seen.usage;
    let counted = usage.prompt.is_some() || usage.completion.is_some() || usage.cached.is_some();
    assert!(
        !counted || usage.source != UsageSource::None,
        "counts have a source"
    );
    let times = &seen.times;
    assert!(
        times.ttft.is_none() || times.ttfb <= times.ttft,
        "no token before a byte"
    );
    assert!(times.ttfo.is_none() || times.ttft <= times.ttfo);
    assert!(times.tpot.is_none() || times.generation.is_some());
    assert_eq!(times.itl_count, seen.gaps.count(), "each gap is in the sketch");
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    assert!(
        seen.error
            .as_ref()
            .is_none_or(|class| class.len() <= 64 && class.bytes().all(word)),
        "an error's class is a word"
    );
}

/// A body is read alike at any cut.
pub fn body(input: &[u8]) {
    for dialect in Dialect::ALL {
        let whole = observe_body(*dialect, &[input]);
        for pieces in [cut(input), single(input)] {
            assert_eq!(
                facts(&observe_body(*dialect, &pieces)),
                facts(&whole),
                "{dialect}"
            );
        }
        believable(&whole);
    }
}

fn observe_body(dialect: Dialect, pieces: &[&[u8]]) -> Observation {
    let t0 = origin();
    let mut observed = ObservedBody::new(dialect);
    for piece in pieces {
        observed.push(t0, piece);
    }
    let sent = Sent {
        head: t0,
        upstream: None,
    };
    observed.into_observation(sent, true)
}

/// The input byte by byte.
fn single(input: &[u8]) -> Vec<&[u8]> {
    input.chunks(1).collect()
}

/// The input in pieces; where it is cut depends on what it is.
fn cut(input: &[u8]) -> Vec<&[u8]> {
    let mut state = input.iter().take(EVENT_LEN_MAX).fold(7_usize, |state, byte| {
        state.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let (mut pieces, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (piece, behind) = rest.split_at((1 + (state >> 33) % 40).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin; every later instant is computed from it"
)]
fn origin() -> Instant {
    Instant::now()
}
