//! Tests over what real servers sent, and over any bytes at any split.

use proptest::prelude::*;
use record::UsageSource;

use super::tests::{facts, kind, play};
use super::*;

/// The body of a recorded answer, without its head.
fn capture(name: &str) -> Vec<u8> {
    let path = format!("{}/vectors/captures/{name}", env!("CARGO_MANIFEST_DIR"));
    let raw = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let body = memchr::memmem::find(&raw, b"\r\n\r\n").map_or(0, |end| end + 4);
    raw[body..].to_vec()
}

#[test]
fn recorded_answers_of_real_servers_are_read() {
    for (name, dialect, events, prompt, completion, source) in [
        (
            "vllm.raw",
            Dialect::OpenaiChat,
            true,
            true,
            true,
            UsageSource::Final,
        ),
        (
            "vllm-cont.raw",
            Dialect::OpenaiChat,
            true,
            true,
            true,
            UsageSource::Final,
        ),
        (
            "ll.raw",
            Dialect::OpenaiChat,
            true,
            true,
            true,
            UsageSource::Final,
        ),
        (
            "ll-messages.raw",
            Dialect::Anthropic,
            true,
            true,
            true,
            UsageSource::Final,
        ),
        (
            "ll-responses.raw",
            Dialect::OpenaiResponses,
            true,
            true,
            true,
            UsageSource::Final,
        ),
    ] {
        let body = capture(name);
        let (out, seen) = play(kind(dialect, 1, false), body.chunks(100));
        assert_eq!(out, body, "{name}: bytes pass unchanged");
        assert_eq!(seen.ending, Ending::Complete, "{name}");
        assert_eq!(
            seen.usage.token_events.is_some_and(|events| events > 0),
            events,
            "{name}: {:?}",
            seen.usage
        );
        assert_eq!(seen.usage.prompt.is_some(), prompt, "{name}: {:?}", seen.usage);
        assert_eq!(
            seen.usage.completion.is_some(),
            completion,
            "{name}: {:?}",
            seen.usage
        );
        assert_eq!(seen.usage.source, source, "{name}");
        assert_eq!(
            (seen.malformed, seen.too_long),
            (0, 0),
            "{name}: every event is read"
        );
        assert!(seen.model.is_some(), "{name} names its model");
    }
}

#[test]
fn the_usage_chunk_of_a_recorded_answer_is_taken_out_and_nothing_else() {
    let body = capture("vllm.raw");
    let usage = memchr::memmem::find(&body, b"\"choices\":[],").unwrap();
    let start = memchr::memmem::rfind(&body[..usage], b"data: ").unwrap();
    let end = usage + memchr::memmem::find(&body[usage..], b"\n\n").unwrap() + 2;
    let expect = [&body[..start], &body[end..]].concat();
    for cut in 0..body.len() {
        let (left, right) = body.split_at(cut);
        let (out, seen) = play(kind(Dialect::OpenaiChat, 1, true), [left, right]);
        assert_eq!(out, expect, "cut at {cut}");
        assert_eq!(seen.removed, 1);
        assert_eq!(
            seen.usage.source,
            UsageSource::Final,
            "what was taken out was read"
        );
    }
}

fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=len, 0..40).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces
}

proptest! {
    #[test]
    fn any_bytes_at_any_cut_pass_unchanged_and_never_panic(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b"data: ".to_vec()), Just(b"\n".to_vec()), Just(b"\r".to_vec()), Just(b"\r\n\r\n".to_vec()),
            Just(b"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}".to_vec()),
            Just(b"[DONE]".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..8),
        ], 0..30),
        seed in cuts(1_000),
    ) {
        let bytes = bytes.concat();
        let cuts: Vec<_> = seed.into_iter().filter(|cut| *cut <= bytes.len()).collect();
        for dialect in [Dialect::OpenaiChat, Dialect::Anthropic, Dialect::OpenaiResponses, Dialect::Ollama] {
            for strip in [false, true] {
                let (whole_out, whole) = play(kind(dialect, 1, strip), [&bytes[..]]);
                let (out, seen) = play(kind(dialect, 1, strip), split(&bytes, &cuts));
                prop_assert_eq!(&out, &whole_out);
                prop_assert_eq!(facts(&seen), facts(&whole));
                if seen.removed == 0 {
                    prop_assert_eq!(&out, &bytes);
                }
            }
        }
    }

    #[test]
    fn recorded_answers_give_one_record_at_any_split(seed in cuts(3_000), which in 0_usize..5) {
        let (name, dialect) = [
            ("vllm.raw", Dialect::OpenaiChat), ("vllm-cont.raw", Dialect::OpenaiChat),
            ("ll.raw", Dialect::OpenaiChat), ("ll-messages.raw", Dialect::Anthropic),
            ("ll-responses.raw", Dialect::OpenaiResponses),
        ][which];
        let body = capture(name);
        let cuts: Vec<_> = seed.into_iter().filter(|cut| *cut <= body.len()).collect();
        let (_, whole) = play(kind(dialect, 1, false), [&body[..]]);
        let (out, seen) = play(kind(dialect, 1, false), split(&body, &cuts));
        prop_assert_eq!(out, body);
        prop_assert_eq!(facts(&seen), facts(&whole));
    }
}
