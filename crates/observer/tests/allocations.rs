//! The promise of the data path: a read whose events are whole allocates nothing.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use observer::{Forward, Framing, ObservedStream, StreamKind, UsageStrip};
use record::Dialect;

const EVENT: &str = concat!(
    r#"data: {"id":"chatcmpl-8c09596d0f2facd1","object":"chat.completion.chunk","created":1795394479,"#,
    r#""model":"tiny-random","choices":[{"index":0,"delta":{"content":" vobe"},"logprobs":null,"#,
    r#""finish_reason":null,"token_ids":null}]}"#,
    "\n\n"
);

const ANTHROPIC: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
    "\n\n"
);

fn origin() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin; every later instant is computed from it"
    )]
    Instant::now()
}

fn allocations_of(dialect: Dialect, event: &str, strip: UsageStrip) -> u64 {
    let kind = StreamKind {
        strip,
        ..StreamKind::new(dialect, Framing::Sse)
    };
    let mut stream = ObservedStream::new(kind);
    let mut now = origin();
    // The first events fill what is kept for the stream: the model's name, the template, room for the gaps.
    for _ in 0..8 {
        now += Duration::from_millis(10);
        stream.push(now, event.as_bytes());
    }
    let counted = measure(|| {
        for step in 0..1_000_u64 {
            // Gaps between 8 and 20 ms, as a busy replica has them.
            now += Duration::from_micros(8_000 + step * 12);
            assert_eq!(
                stream.push(now, event.as_bytes()),
                Forward::Unchanged,
                "the bytes pass"
            );
        }
    });
    assert_eq!(stream.token_events(), 1_008, "every event was read");
    counted.count_total
}

#[test]
fn an_event_costs_no_allocation() {
    for strip in [
        UsageStrip::Nothing,
        UsageStrip::Chunk,
        UsageStrip::Members,
        UsageStrip::ChunkAndMembers,
    ] {
        assert_eq!(
            allocations_of(Dialect::OpenaiChat, EVENT, strip),
            0,
            "chat, stripping {strip:?}"
        );
    }
    assert_eq!(
        allocations_of(Dialect::Anthropic, ANTHROPIC, UsageStrip::Nothing),
        0,
        "a named event"
    );
}
