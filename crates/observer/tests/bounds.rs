//! What an answer or a request costs at worst: memory that does not grow with it, and work that grows no
//! faster than it does. Work is counted in bytes that are allocated, which is what is copied; no byte is
//! looked at without being consumed (`json.rs`, `sse.rs`).

use std::time::Instant;

use allocation_counter::{AllocationInfo, measure};
use observer::{Framing, ObservedBody, ObservedStream, StreamKind, UsageStrip};
use record::Dialect;

const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;

fn origin() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    Instant::now()
}

const STRIPS: [UsageStrip; 4] = [
    UsageStrip::Nothing,
    UsageStrip::Chunk,
    UsageStrip::Members,
    UsageStrip::ChunkAndMembers,
];

/// Streams without an end to their events, in any dialect: the beginning, and what is repeated.
const ENDLESS: [(&str, &str); 8] = [
    ("data: {\"choices\":[{\"delta\":{\"content\":\"", "x"),
    ("data: {\"choices\":[{\"index\":0,\"delta\":{}},", "[[[[[[{{{{{"),
    ("", "data: x\n"),
    ("", "event: y\ndata:\n"),
    ("", "id: 7\n: ping\r"),
    ("", "\n\r\n"),
    (
        "data: {\"system_fingerprint\":\"b1-x\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ": ping\n\n",
    ),
    (
        "",
        "data: {\"choices\":[{\"index\":1,\"delta\":{},\"usage\":{\"a\":1}}],\"usage\":{\"b\":2}}\n\n",
    ),
];

fn stream(dialect: Dialect, strip: UsageStrip, text: &[u8], read: usize) -> AllocationInfo {
    let framing = if dialect == Dialect::Ollama {
        Framing::Lines
    } else {
        Framing::Sse
    };
    let now = origin();
    measure(|| {
        let mut stream = ObservedStream::new(StreamKind {
            strip,
            ..StreamKind::new(dialect, framing)
        });
        for piece in text.chunks(read) {
            stream.push(now, piece);
        }
        stream.finish();
    })
}

#[test]
fn the_memory_of_a_stream_is_bounded_however_long_its_events_are() {
    let long = format!("data: {{\"x\":\"{}\"}}\n\n", "y".repeat(1_048_000));
    for dialect in [Dialect::OpenaiChat, Dialect::Ollama] {
        for strip in STRIPS {
            let max = if strip.takes_members() { 6 * MIB } else { 3 * MIB };
            for (begin, unit) in ENDLESS.into_iter().chain([("", long.as_str())]) {
                let mut text = begin.to_owned();
                text += &unit.repeat(2_200_000 / unit.len());
                let used = stream(dialect, strip, text.as_bytes(), 4_096);
                assert!(
                    used.bytes_max <= max,
                    "{dialect} {strip:?} {unit:.20}: {} bytes",
                    used.bytes_max
                );
            }
        }
    }
}

#[test]
fn twice_the_stream_is_twice_the_work() {
    for strip in STRIPS {
        for (begin, unit) in ENDLESS {
            let copied = |len: usize| {
                let text = format!("{begin}{}", unit.repeat(len / unit.len()));
                stream(Dialect::OpenaiChat, strip, text.as_bytes(), 7).bytes_total
            };
            let (once, twice) = (copied(200_000), copied(400_000));
            assert!(
                twice <= 2 * once + 512 * KIB,
                "{strip:?} {unit:?}: {once} bytes, then {twice}"
            );
        }
    }
}

#[test]
fn the_memory_of_a_body_is_bounded_however_long_it_is() {
    for unit in [
        "1,",
        "\"x\":1,",
        "{\"a\":[",
        "\"usage\":{\"prompt_tokens\":1},",
        "\\\"",
        "\"choices\":[{\"index\":1},{}],",
    ] {
        for begin in ["[", "{", "{\"model\":\"", "{\"choices\":["] {
            let text = format!("{begin}{}", unit.repeat(3_000_000 / unit.len()));
            let now = origin();
            let used = measure(|| {
                let mut body = ObservedBody::new(Dialect::OpenaiChat);
                for piece in text.as_bytes().chunks(1_000) {
                    body.push(now, piece);
                }
            });
            assert!(
                used.bytes_max <= 256 * KIB,
                "{begin} {unit}: {} bytes",
                used.bytes_max
            );
            assert!(
                used.bytes_total <= 512 * KIB,
                "{begin} {unit}: {} bytes",
                used.bytes_total
            );
        }
    }
}
