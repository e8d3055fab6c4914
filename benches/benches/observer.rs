//! The observer's cost, per event of a stream and per byte of a request body.
//!
//! `cargo bench -p benches --bench observer`

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use observer::{Framing, ObservedBody, ObservedStream, RequestFacts, Sent, StreamKind, UsageStrip};
use record::{Dialect, Endpoint};

/// A content event as vLLM 0.33 sends it.
const EVENT: &str = concat!(
    r#"data: {"id":"chatcmpl-8c09596d0f2facd1","object":"chat.completion.chunk","created":1795394479,"#,
    r#""model":"tiny-random","choices":[{"index":0,"delta":{"content":" vobe"},"logprobs":null,"#,
    r#""finish_reason":null,"token_ids":null}]}"#,
    "\n\n"
);

fn kind(strip: UsageStrip) -> StreamKind {
    StreamKind {
        strip,
        ..StreamKind::new(Dialect::OpenaiChat, Framing::Sse)
    }
}

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin")]
    Instant::now()
}

/// The same with vLLM's running count, which is another in each event.
fn counted_events() -> Vec<String> {
    let event = EVENT.trim_end().trim_end_matches('}');
    (1..=1_000)
        .map(|tokens| {
            let total = tokens + 9;
            format!(
                "{event},\"usage\":{{\"prompt_tokens\":9,\"total_tokens\":{total},\
                 \"completion_tokens\":{tokens}}}}}\n\n"
            )
        })
        .collect()
}

fn stream(c: &mut Criterion) {
    let t0 = start();
    let mut group = c.benchmark_group("chat_event");
    group.throughput(Throughput::Bytes(u64::try_from(EVENT.len()).unwrap_or(0)));
    for (name, strip) in [
        ("one_per_read", UsageStrip::Nothing),
        ("one_per_read_stripping", UsageStrip::Chunk),
    ] {
        let mut observed = ObservedStream::new(kind(strip));
        let mut now = t0;
        group.bench_function(name, |b| {
            b.iter(|| {
                now += Duration::from_micros(10_000);
                black_box(observed.push(now, black_box(EVENT.as_bytes())))
            });
        });
    }
    let mut observed = ObservedStream::new(kind(UsageStrip::Nothing));
    let (left, right) = EVENT.as_bytes().split_at(100);
    group.bench_function("cut_in_two_reads", |b| {
        b.iter(|| {
            observed.push(t0, black_box(left));
            black_box(observed.push(t0, black_box(right)))
        });
    });
    let counted = counted_events();
    for (name, strip) in [
        ("with_running_count", UsageStrip::Nothing),
        ("with_running_count_stripping", UsageStrip::ChunkAndMembers),
    ] {
        let mut observed = ObservedStream::new(kind(strip));
        let mut events = counted.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| {
                let event = events.next().map_or(&[][..], |event| event.as_bytes());
                black_box(observed.push(t0, black_box(event)))
            });
        });
    }
    group.finish();

    let whole = format!("{}data: [DONE]\n\n", EVENT.repeat(128));
    c.bench_function("stream_of_128_events_from_start_to_observation", |b| {
        b.iter(|| {
            let mut observed = ObservedStream::new(kind(UsageStrip::Nothing));
            for piece in whole.as_bytes().chunks(EVENT.len()) {
                observed.push(t0, piece);
            }
            observed.finish();
            black_box(observed.into_observation(Sent {
                head: t0,
                upstream: None,
            }))
        });
    });
}

fn bodies(c: &mut Criterion) {
    let t0 = start();
    let mut group = c.benchmark_group("request_body");
    let prose =
        "The quick brown fox jumps over the lazy dog, and says \\\"hello\\\" twice.\\n".repeat(14_000);
    for (name, body) in [
        (
            "one_long_message",
            format!(r#"{{"messages":[{{"role":"user","content":"{prose}"}}],"model":"m","stream":true}}"#),
        ),
        ("many_short_messages", {
            let message = r#"{"role":"user","content":"What is the weather like today?"},"#.repeat(16_000);
            format!(r#"{{"messages":[{message}{{"role":"user","content":"x"}}],"model":"m","stream":true}}"#)
        }),
        (
            "base64_image",
            format!(
                r#"{{"messages":[{{"content":"{}"}}],"model":"m"}}"#,
                "iVBORw0KGgo".repeat(95_000)
            ),
        ),
    ] {
        group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap_or(0)));
        group.bench_function(name, |b| {
            b.iter(|| black_box(RequestFacts::read(Endpoint::Chat, black_box(body.as_bytes()))));
        });
    }
    group.finish();

    let answer = format!(
        r#"{{"id":"x","model":"m","choices":[{{"index":0,"message":{{"content":"{}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#,
        "word ".repeat(150)
    );
    c.bench_function("response_body_of_1_kB", |b| {
        b.iter_batched(
            || ObservedBody::new(Dialect::OpenaiChat),
            |mut observed| {
                observed.push(t0, black_box(answer.as_bytes()));
                black_box(observed.into_observation(
                    Sent {
                        head: t0,
                        upstream: None,
                    },
                    true,
                ))
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, stream, bodies);
criterion_main!(benches);
