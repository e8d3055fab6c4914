//! Records for tests of any engine: random ones and plain ones.

use std::ops::Range;
use std::time::Duration;

use proptest::option;
use proptest::prelude::*;
use record::{
    Attempt, AttemptEnd, Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, MetricRecord,
    Name, Outcome, Policy, Pulse, ResponseFormat, Routing, ServiceTier, Shape, Sketch, TAGS_MAX, Tag, Times,
    Tokens, UnixMillis, Usage, UsageSource,
};

/// A moment in November 2026 that is a multiple of every rollup tier up to a day.
pub(crate) const NOON: UnixMillis = UnixMillis(1_795_392_000_000);

/// A pulse of an idle proxy.
pub(crate) fn pulse(at: UnixMillis) -> Pulse {
    Pulse {
        instance: "test".into(),
        version: String::new(),
        started_at: NOON,
        at,
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families: Vec::new(),
    }
}

/// A runtime of one thread, like the writer's.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// A successful stream.
pub(crate) fn plain(id: &str, started_at: UnixMillis) -> MetricRecord {
    MetricRecord {
        id: id.into(),
        started_at,
        trace_id: None,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        pool: Some("default".into()),
        model_requested: Some("llama".into()),
        model: Some("llama".into()),
        replica: Some("10.0.0.1:8000".into()),
        attempts: Attempts(1),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: Some(true),
            ..Shape::default()
        },
        status: Some(200),
        outcome: Outcome::Success,
        error_type: None,
        finish_reason: Some(FinishReason::Stop),
        terminal: Some(true),
        times: Times {
            ttft: Some(Duration::from_millis(100)),
            e2e: Duration::from_secs(2),
            overhead: Duration::from_micros(80),
            ..Times::default()
        },
        gaps: Sketch::default(),
        usage: Usage {
            prompt: Some(Tokens(1_000)),
            completion: Some(Tokens(50)),
            source: UsageSource::Final,
            ..Usage::default()
        },
        engine: Engine::default(),
        identity: Identity::default(),
        request_bytes: 4_000,
        response_bytes: 9_000,
        good: Some(true),
        flags: Flags::default(),
    }
}

/// Any record that a proxy could write, begun in a range of milliseconds.
pub(crate) fn records(started_ms: Range<i64>, len: Range<usize>) -> impl Strategy<Value = Vec<MetricRecord>> {
    prop::collection::vec(record(started_ms), len)
}

fn record(started_ms: Range<i64>) -> impl Strategy<Value = MetricRecord> {
    let head = (
        "[A-Za-z0-9._-]{1,40}",
        started_ms,
        option::of(any::<[u8; 16]>()),
        prop::sample::select(Endpoint::ALL),
        prop::sample::select(Dialect::ALL),
        names(["default", "embeddings"]),
        names(["llama", "qwen", "gpt-4o; DROP TABLE request"]),
        names(["llama", "qwen-2.5"]),
        names(["10.0.0.1:8000", "10.0.0.2:8000"]),
        any::<u16>().prop_map(Attempts),
    );
    let end = (
        option::of(any::<u16>()),
        prop::sample::select(Outcome::ALL),
        names(["rate_limit_error", "BadRequestError"]),
        option::of(prop::sample::select(FinishReason::ALL)),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
        any::<u32>().prop_map(Flags::from_bits),
        0..u64::from(u32::MAX),
        0..u64::from(u32::MAX),
    );
    let why = (routing(), attempts());
    (
        head,
        shape(),
        end,
        times(),
        gaps(),
        usage(),
        engine(),
        identity(),
        why,
    )
        .prop_map(
            |(head, shape, end, times, gaps, usage, engine, identity, why)| MetricRecord {
                id: head.0.into(),
                started_at: UnixMillis(head.1),
                trace_id: head.2,
                endpoint: head.3,
                dialect: head.4,
                pool: head.5,
                model_requested: head.6,
                model: head.7,
                replica: head.8,
                attempts: head.9,
                attempt_log: why.1,
                routing: why.0,
                shape,
                status: end.0,
                outcome: end.1,
                error_type: end.2,
                finish_reason: end.3,
                terminal: end.4,
                times,
                gaps,
                usage,
                engine,
                identity,
                request_bytes: end.7,
                response_bytes: end.8,
                good: end.5,
                flags: end.6,
            },
        )
}

fn names<const N: usize>(known: [&'static str; N]) -> impl Strategy<Value = Option<Name>> {
    option::of(prop::sample::select(known.to_vec()).prop_map(Name::from))
}

fn span() -> impl Strategy<Value = Duration> {
    (0_u64..4_000_000_000).prop_map(Duration::from_micros)
}

fn tokens() -> impl Strategy<Value = Option<Tokens>> {
    option::of((0_u64..1_000_000).prop_map(Tokens))
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        tokens(),
        option::of(any::<i64>()),
        prop::collection::vec(option::of(any::<u32>()), 3),
        option::of(prop::sample::select(ResponseFormat::ALL)),
        option::of(prop::sample::select(ServiceTier::ALL)),
    )
        .prop_map(
            |(stream, choices, max_tokens, priority, counts, response_format, service_tier)| Shape {
                stream,
                choices,
                max_tokens,
                priority,
                tools: counts[0],
                response_format,
                images: counts[1],
                audios: counts[2],
                service_tier,
            },
        )
}

fn routing() -> impl Strategy<Value = Routing> {
    (
        option::of(prop::sample::select(Policy::ALL)),
        option::of(any::<u32>()),
        option::of(any::<u32>()),
        tokens(),
    )
        .prop_map(
            |(policy, prefix_blocks, matched_blocks, predicted_cached)| Routing {
                policy,
                prefix_blocks,
                matched_blocks,
                predicted_cached,
            },
        )
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = ("[a-z0-9.:]{1,20}", prop::sample::select(AttemptEnd::ALL), span());
    let attempt = attempt.prop_map(|(replica, end, span)| Attempt {
        replica: replica.into(),
        end,
        span,
    });
    prop::collection::vec(attempt, 0..4)
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let tag = ("[a-z]{1,6}", "[ -~]{0,12}").prop_map(|(name, value)| Tag {
        name: name.into(),
        value: value.into(),
    });
    prop::collection::vec(tag, 0..=TAGS_MAX)
}

fn times() -> impl Strategy<Value = Times> {
    let spans = prop::collection::vec(option::of(span()), 14);
    (spans, span(), span(), any::<u32>(), 0_u64..100_000).prop_map(
        |(spans, e2e, overhead, stalls, itl_count)| Times {
            ttfb: spans[0],
            ttft: spans[1],
            upstream_ttft: spans[2],
            ttfo: spans[3],
            ttst: spans[4],
            generation: spans[5],
            tpot: spans[6],
            itl_mean: spans[7],
            itl_max: spans[8],
            itl_count,
            stalls,
            e2e,
            upload: spans[9],
            queue: spans[10],
            connect: spans[11],
            overhead,
            client_stall: spans[12],
            client_gone: spans[13],
        },
    )
}

fn gaps() -> impl Strategy<Value = Sketch> {
    prop::collection::vec(span(), 0..20).prop_map(|spans| {
        let mut sketch = Sketch::default();
        for span in spans {
            sketch.add(span);
        }
        sketch
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    let counts = prop::collection::vec(tokens(), 8);
    (
        counts,
        option::of(0.0..9e9),
        prop::sample::select(UsageSource::ALL),
    )
        .prop_map(|(counts, audio_seconds, source)| Usage {
            prompt: counts[0],
            completion: counts[1],
            cached: counts[2],
            cache_write: counts[3],
            reasoning: counts[4],
            audio_seconds,
            source,
            completion_estimated: counts[5],
            token_events: counts[6].map(|count| count.0),
            arrivals: counts[7].map(|count| count.0),
        })
}

fn engine() -> impl Strategy<Value = Engine> {
    (
        option::of(span()),
        option::of(span()),
        option::of(0.0..1e5),
        option::of(0.0..=1.0),
    )
        .prop_map(|(queue, ttft, tokens_per_second, spec_accept_rate)| Engine {
            queue,
            ttft,
            tokens_per_second,
            spec_accept_rate,
        })
}

fn identity() -> impl Strategy<Value = Identity> {
    (
        names(["key-a", "key-b"]),
        option::of("[a-z]{0,3}".prop_map(Name::from)),
        option::of("[0-9a-f]{16}".prop_map(Name::from)),
        names(["openai-python/3.54"]),
        option::of(any::<u32>()),
        names(["203.0.113.0/24"]),
        option::of(any::<u32>()),
        tags(),
    )
        .prop_map(
            |(key, user, session, sdk, sdk_retry, client_net, hash_key_id, tags)| Identity {
                key,
                user,
                session,
                sdk,
                sdk_retry,
                client_net,
                hash_key_id,
                tags,
            },
        )
}
