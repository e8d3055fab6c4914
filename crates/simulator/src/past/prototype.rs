//! Requests of one model that differ in everything but moment, user and replica.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, LogNormal};
use record::{
    Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, MetricRecord, Name, Outcome, Routing,
    Shape, Sketch, Tag, Times, Tokens, UnixMillis, Usage, UsageSource,
};

use super::{Model, PROTOTYPES_LEN};

/// How much slower a busy fleet is.
const BUSY_FACTOR: f64 = 1.8;

// === impl Model ===

impl Model {
    /// A model of its own pace, the first ones small and quick.
    pub(super) fn new(number: u16, replicas: u16, random: &mut SmallRng) -> Self {
        let name = Name::from(format!("org/model-{number:02}"));
        let pace = Pace {
            ttft: Duration::from_millis(60 + 25 * u64::from(number)),
            gap: Duration::from_micros(7_000 + 1_500 * u64::from(number)),
        };
        let prototypes = (0..PROTOTYPES_LEN)
            .map(|place| prototype(&name, pace, place, random))
            .collect();
        Self {
            replicas: (0..replicas)
                .map(|replica| format!("10.0.{number}.{}:8000", replica + 1).into())
                .collect(),
            prototypes,
        }
    }
}

/// Medians of a model's times on a calm fleet.
#[derive(Clone, Copy, Debug)]
struct Pace {
    ttft: Duration,
    gap: Duration,
}

fn prototype(model: &Name, pace: Pace, place: usize, random: &mut SmallRng) -> MetricRecord {
    let factor = if place >= PROTOTYPES_LEN / 2 {
        BUSY_FACTOR
    } else {
        1.0
    };
    let ttft = around(pace.ttft.mul_f64(factor), 0.5, random);
    let gap = around(pace.gap.mul_f64(factor), 0.2, random);
    let tokens = around(Duration::from_secs(180), 0.8, random).as_secs().max(2);
    let outcome = match place % 48 {
        0 => Outcome::ClientCancelled,
        1 => Outcome::UpstreamError,
        2 => Outcome::ClientError,
        _ => Outcome::Success,
    };
    let streamed = outcome != Outcome::UpstreamError && outcome != Outcome::ClientError;
    let prompt = around(Duration::from_secs(900), 1.0, random).as_secs().max(1);
    let (times, gaps) = if streamed {
        stream_times(ttft, gap, tokens, random)
    } else {
        (refusal_times(random), Sketch::default())
    };
    MetricRecord {
        id: "".into(),
        started_at: UnixMillis(0),
        trace_id: None,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        pool: Some("default".into()),
        model_requested: Some(Name::clone(model)),
        model: streamed.then(|| Name::clone(model)),
        replica: Some("".into()),
        attempts: Attempts(1),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: Some(true),
            max_tokens: Some(Tokens(1_024)),
            ..Shape::default()
        },
        status: Some(match outcome {
            Outcome::UpstreamError => 502,
            Outcome::ClientError => 400,
            _ => 200,
        }),
        outcome,
        error_type: (!streamed).then(|| "BadRequestError".into()),
        finish_reason: (outcome == Outcome::Success).then_some(FinishReason::Stop),
        terminal: streamed.then_some(outcome == Outcome::Success),
        times,
        gaps,
        usage: usage(outcome == Outcome::Success, prompt, tokens, random),
        engine: Engine::default(),
        identity: Identity {
            sdk: Some("openai-python/3.54".into()),
            tags: vec![Tag {
                name: "team".into(),
                value: "".into(),
            }],
            ..Identity::default()
        },
        request_bytes: prompt * 4,
        response_bytes: if streamed { tokens * 220 } else { 180 },
        good: streamed.then_some(ttft < Duration::from_millis(500)),
        flags: Flags::default(),
    }
}

fn refusal_times(random: &mut SmallRng) -> Times {
    Times {
        e2e: around(Duration::from_millis(9), 0.4, random),
        overhead: around(Duration::from_micros(60), 0.3, random),
        ..Times::default()
    }
}

fn stream_times(ttft: Duration, gap: Duration, tokens: u64, random: &mut SmallRng) -> (Times, Sketch) {
    let mut gaps = Sketch::default();
    let (mut generation, mut longest) = (Duration::ZERO, Duration::ZERO);
    let count = tokens - 1;
    for _ in 0..count {
        let one = around(gap, 0.25, random);
        gaps.add(one);
        generation += one;
        longest = longest.max(one);
    }
    let mean = generation / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let times = Times {
        ttfb: Some(ttft),
        ttft: Some(ttft),
        upstream_ttft: Some(ttft),
        ttfo: Some(ttft),
        generation: Some(generation),
        tpot: Some(mean),
        itl_mean: Some(mean),
        itl_max: Some(longest),
        itl_count: count,
        e2e: ttft + generation,
        upload: Some(around(Duration::from_micros(90), 0.4, random)),
        queue: Some(around(Duration::from_micros(300), 1.2, random)),
        connect: Some(Duration::ZERO),
        overhead: around(Duration::from_micros(60), 0.3, random),
        client_stall: Some(Duration::ZERO),
        ..Times::default()
    };
    (times, gaps)
}

fn usage(known: bool, prompt: u64, tokens: u64, random: &mut SmallRng) -> Usage {
    if !known {
        return Usage::default();
    }
    Usage {
        prompt: Some(Tokens(prompt)),
        completion: Some(Tokens(tokens)),
        cached: Some(Tokens(prompt * random.random_range(0..4) / 4)),
        source: UsageSource::Final,
        token_events: Some(tokens),
        arrivals: Some(tokens),
        ..Usage::default()
    }
}

/// Log-normal around a median.
fn around(median: Duration, sigma: f64, random: &mut SmallRng) -> Duration {
    let spread = LogNormal::new(0.0, sigma).expect("the deviation is a finite constant");
    median.mul_f64(spread.sample(random))
}
