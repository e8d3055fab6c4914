//! Six requests and two pulses, written out so that every figure can be checked by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{Encoder, IntCounterVec, Opts, ProtobufEncoder, Registry};
use record::{
    Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, LedgerPulse, MetricRecord, Outcome,
    Pulse, ReplicaPulse, ReplicaState, Routing, Shape, Sketch, Times, Tokens, UnixMillis, Usage, UsageSource,
};

use crate::NOW;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `seconds` before the tests' now.
pub(crate) fn ago(seconds: u64) -> UnixMillis {
    NOW.minus(Duration::from_secs(seconds))
}

/// Four minutes of traffic: three streams (TTFT 100, 200 and 300 ms), one plain answer, one failure, one
/// refusal.
pub(crate) fn six() -> Vec<MetricRecord> {
    let mut cut = stream("r3", 180, 300);
    cut.outcome = Outcome::UpstreamTruncated;
    cut.finish_reason = None;
    cut.terminal = Some(false);
    cut.usage = Usage {
        token_events: Some(11),
        arrivals: Some(11),
        ..Usage::default()
    };
    cut.times.tpot = None;
    cut.replica = Some("10.0.0.2:8000".into());
    cut.flags.insert(Flags::NO_DONE);

    let mut plain = stream("r4", 120, 0);
    plain.shape.stream = Some(false);
    plain.model = Some("llama-8b".into());
    plain.model_requested = Some("llama-8b".into());
    plain.terminal = None;
    plain.times = Times {
        ttfb: Some(ms(900)),
        e2e: ms(1_000),
        queue: Some(ms(0)),
        connect: Some(ms(0)),
        upload: Some(ms(1)),
        overhead: Duration::from_micros(40),
        ..Times::default()
    };
    plain.gaps = Sketch::default();
    plain.usage.token_events = None;
    plain.usage.arrivals = None;

    let mut broken = refused("r5", 90, 502, Outcome::UpstreamError, "connect");
    broken.pool = Some("default".into());
    broken.replica = Some("10.0.0.2:8000".into());
    broken.attempts = Attempts(2);

    let mut unknown = refused("r6", 60, 404, Outcome::ClientError, "unknown_path");
    unknown.endpoint = Endpoint::Other;
    unknown.model_requested = None;
    unknown.shape = Shape::default();
    vec![
        stream("r1", 300, 100),
        stream("r2", 240, 200),
        cut,
        plain,
        broken,
        unknown,
    ]
}

/// A stream of 21 tokens in 11 arrivals, 20 ms apart.
pub(crate) fn stream(id: &str, seconds_ago: u64, ttft: u64) -> MetricRecord {
    let mut gaps = Sketch::default();
    (0..10).for_each(|_| gaps.add(ms(20)));
    MetricRecord {
        id: id.into(),
        started_at: ago(seconds_ago),
        trace_id: Some([0xab; 16]),
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        pool: Some("default".into()),
        model_requested: Some("llama-70b".into()),
        model: Some("llama-70b".into()),
        replica: Some("10.0.0.1:8000".into()),
        attempts: Attempts(1),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: Some(true),
            max_tokens: Some(Tokens(64)),
            ..Shape::default()
        },
        status: Some(200),
        outcome: Outcome::Success,
        error_type: None,
        finish_reason: Some(FinishReason::Stop),
        terminal: Some(true),
        times: Times {
            ttfb: Some(ms(ttft)),
            ttft: Some(ms(ttft)),
            upstream_ttft: Some(ms(ttft).saturating_sub(ms(2))),
            ttfo: Some(ms(ttft)),
            ttst: Some(ms(20)),
            generation: Some(ms(200)),
            tpot: Some(ms(10)),
            itl_mean: Some(ms(20)),
            itl_max: Some(ms(20)),
            itl_count: 10,
            stalls: 0,
            e2e: ms(ttft + 201),
            upload: Some(ms(1)),
            queue: Some(ms(0)),
            connect: Some(Duration::from_micros(1_234)),
            overhead: Duration::from_micros(80),
            client_stall: Some(ms(0)),
            client_gone: None,
        },
        gaps,
        usage: Usage {
            prompt: Some(Tokens(100)),
            completion: Some(Tokens(21)),
            cached: Some(Tokens(64)),
            source: UsageSource::Final,
            token_events: Some(11),
            arrivals: Some(11),
            ..Usage::default()
        },
        engine: Engine::default(),
        identity: Identity {
            key: Some("team-blue".into()),
            sdk: Some("openai-python/3.54".into()),
            ..Identity::default()
        },
        request_bytes: 512,
        response_bytes: 4_096,
        good: None,
        flags: Flags::default(),
    }
}

/// A request that no replica answered.
fn refused(id: &str, seconds_ago: u64, status: u16, outcome: Outcome, error_type: &str) -> MetricRecord {
    MetricRecord {
        pool: None,
        model: None,
        replica: None,
        attempts: Attempts(0),
        status: Some(status),
        outcome,
        error_type: Some(error_type.into()),
        finish_reason: None,
        terminal: None,
        times: Times {
            e2e: ms(5),
            overhead: Duration::from_micros(30),
            ..Times::default()
        },
        gaps: Sketch::default(),
        usage: Usage::default(),
        identity: Identity::default(),
        ..stream(id, seconds_ago, 0)
    }
}

/// A live proxy that sees both replicas, and one that has been silent for a minute.
pub(crate) fn pulses() -> Vec<Pulse> {
    let replica = |replica: &str, state, in_flight| ReplicaPulse {
        replica: replica.into(),
        pool: "default".into(),
        state,
        in_flight,
        models: vec!["llama-70b".into()],
        changed_at: Some(ago(400)),
        requests_total: 5,
        errors_total: 1,
    };
    let live = Pulse {
        instance: "edge-1:8001".into(),
        version: "0.1.0".to_owned(),
        started_at: ago(500),
        at: NOW.minus(ms(400)),
        in_flight: 3,
        waiting: 1,
        replicas: vec![
            replica("10.0.0.1:8000", ReplicaState::Up, 3),
            replica("10.0.0.2:8000", ReplicaState::Down, 0),
        ],
        ledger: Some(LedgerPulse {
            finished: 9,
            written: 6,
            queued: 1,
            dropped: BTreeMap::from([("overflow".to_owned(), 2), ("shutdown".to_owned(), 0)]),
            errors: BTreeMap::from([("busy".to_owned(), 3)]),
            degraded: true,
            lag_ms: Some(6_000),
            backlog_bytes: 25,
            backlog_bytes_max: 100,
            file_bytes: Some(4_096),
            wal_bytes: Some(0),
            ..LedgerPulse::default()
        }),
        families: families(6),
    };
    let silent = Pulse {
        instance: "edge-2:8001".into(),
        at: ago(60),
        replicas: vec![
            replica("10.0.0.1:8000", ReplicaState::Up, 9),
            replica("10.0.0.3:8000", ReplicaState::Up, 9),
        ],
        ..live.clone()
    };
    vec![live, silent]
}

/// The registry of a proxy that has counted so many requests.
pub(crate) fn families(requests: u64) -> Vec<u8> {
    let opts = Opts::new(
        "streamgauge_requests_total",
        "Requests, each once, however they ended.",
    );
    let counter = IntCounterVec::new(opts, &["model_name", "outcome"]).unwrap();
    counter
        .with_label_values(&["llama-70b", "success"])
        .inc_by(requests);
    let registry = Registry::new();
    registry.register(Box::new(counter)).unwrap();
    let mut bytes = Vec::new();
    ProtobufEncoder::new()
        .encode(&registry.gather(), &mut bytes)
        .unwrap();
    bytes
}
