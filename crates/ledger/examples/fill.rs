//! Fills a ledger with a realistic past and times the questions of a dashboard.
//!
//! `cargo run --release -p ledger --example fill -- sqlite:///somewhere/year.db 10000000 525600 20 4`
//! (records, minutes, models, replicas of each; 0 records only asks). Prints the rate of the writer, the
//! size, and the time of each answer.
#![expect(clippy::print_stdout, reason = "a program for people to read")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::time::{Duration, Instant};

use ledger::{Dimension, Keep, Metric, Query, QueryError, Reader, Writer};
use record::units::count_f64;
use record::{
    Attempts, Dialect, Endpoint, Engine, FinishReason, Flags, Identity, MetricRecord, Name, Outcome, Pulse,
    Routing, Shape, Sketch, Times, Tokens, UnixMillis, Usage, UsageSource,
};

/// Records of one batch: what a writer finds after a tenth of a second at 40,000 requests a second.
const BATCH_LEN: u64 = 4_096;

/// How often each question is asked; the median is printed.
const ASKED: usize = 5;

/// End of the past that is made: 2026-11-23T12:00:00Z.
const END: UnixMillis = UnixMillis(1_795_435_200_000);

type AnyError = Box<dyn std::error::Error>;

/// What to make.
struct Plan {
    url: String,
    records: u64,
    minutes: u64,
    models: Vec<Name>,
    replicas: Vec<Name>,
    users: Vec<Name>,
}

/// Repeatable numbers (xorshift64).
struct Dice(u64);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let names = |prefix: &str, count: u64| (0..count).map(|n| Name::from(format!("{prefix}-{n}"))).collect();
    let plan = Plan {
        url: arguments
            .first()
            .cloned()
            .ok_or("the first argument is the URL of the ledger")?,
        records: number(1, 1_000_000)?,
        minutes: number(2, 525_600)?,
        models: names("model", number(3, 20)?),
        replicas: names("10.0.0", number(4, 4)?),
        users: names("user", 5_000),
    };
    if plan.records > 0 {
        fill(&plan).await?;
    }
    ask(&plan).await
}

async fn fill(plan: &Plan) -> Result<(), AnyError> {
    let mut writer = Writer::open(&plan.url).await?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let span_ms = plan.minutes * 60_000;
    let start_ms = END.0 - i64::try_from(span_ms)?;
    let (mut made, mut spent, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    let (mut pruned, mut longest_step) = (Duration::ZERO, Duration::ZERO);
    while made < plan.records {
        let count = BATCH_LEN.min(plan.records - made);
        let batch: Vec<MetricRecord> = (made..made + count)
            .map(|n| {
                let at = u128::from(n) * u128::from(span_ms) / u128::from(plan.records);
                record(
                    plan,
                    &mut dice,
                    n,
                    UnixMillis(start_ms + i64::try_from(at).unwrap_or(0)),
                )
            })
            .collect();
        let now = batch.last().map_or(END, |last| last.started_at);
        let begin = Instant::now();
        writer.append(&batch, None).await?;
        longest = longest.max(begin.elapsed());
        spent += begin.elapsed();
        loop {
            let begin = Instant::now();
            let step = writer.prune(&Keep::default(), now).await?;
            longest_step = longest_step.max(begin.elapsed());
            pruned += begin.elapsed();
            if !step.more {
                break;
            }
        }
        made += count;
    }
    let begin = Instant::now();
    let later = pulse(END.plus(Duration::from_hours(2)));
    // Closing is bounded per batch: history that came faster than time catches up over empty batches.
    for _ in 0..plan.records.div_ceil(1_000) {
        writer.append(&[], Some(&later)).await?;
    }
    println!("caught up in {:.1?}", begin.elapsed());
    let health = writer.health();
    println!(
        "{made} records in {spent:.1?}: {:.0} records/s",
        count_f64(made) / spent.as_secs_f64()
    );
    println!("longest batch {longest:.1?}, retention {pruned:.1?}, its longest step {longest_step:.1?}");
    println!("log before closing {} bytes", health.wal_bytes);
    writer.close().await?;
    let file_bytes = Writer::open(&plan.url).await?.health().file_bytes.unwrap_or(0);
    println!(
        "file {file_bytes} bytes: {:.0} bytes a record written",
        count_f64(file_bytes) / count_f64(made)
    );
    Ok(())
}

async fn ask(plan: &Plan) -> Result<(), AnyError> {
    let reader = Reader::open(&plan.url)?;
    let minute = Duration::from_mins(1);
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>10}",
        "window", "summary", "by model", "by user", "series"
    );
    for (name, window, step) in [
        ("1 minute", minute, 1),
        ("1 hour", 60 * minute, 60),
        ("6 hours", 360 * minute, 300),
        ("24 hours", 1_440 * minute, 600),
        ("7 days", 7 * 1_440 * minute, 3_600),
        ("30 days", 30 * 1_440 * minute, 21_600),
        ("90 days", 90 * 1_440 * minute, 86_400),
        ("365 days", 365 * 1_440 * minute, 4 * 86_400),
    ] {
        // An odd moment, so that the edges are read from rows as far as there are rows.
        let query = Query::window(END.minus(window + Duration::from_millis(12_345)), END);
        let step = Duration::from_secs(step);
        let mut cells = Vec::new();
        for question in 0..4 {
            let mut times = Vec::new();
            for _ in 0..ASKED {
                let begin = Instant::now();
                let outcome = match question {
                    0 => reader.summary(&query).await.map(drop),
                    1 => reader.breakdown(&query, Dimension::Model, 100).await.map(drop),
                    2 => reader.breakdown(&query, Dimension::User, 20).await.map(drop),
                    _ => reader
                        .timeseries(&query, Metric::TtftP95, step, Some(Dimension::Model.into()))
                        .await
                        .map(drop),
                };
                match outcome {
                    Ok(()) => times.push(begin.elapsed()),
                    Err(QueryError::TooSlow(_)) => times.push(Duration::MAX),
                    Err(error) => return Err(error.into()),
                }
            }
            times.sort_unstable();
            cells.push(match times.swap_remove(ASKED / 2) {
                Duration::MAX => "too slow".to_owned(),
                median => format!("{median:.1?}"),
            });
        }
        println!(
            "{name:<12} {:>10} {:>10} {:>10} {:>10}",
            cells[0], cells[1], cells[2], cells[3]
        );
    }
    Ok(())
}

fn pulse(at: UnixMillis) -> Pulse {
    Pulse {
        instance: "fill".into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: at,
        at,
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families: Vec::new(),
    }
}

fn times(dice: &mut Dice, ttft: Duration, gap: Duration, tokens: u64) -> Times {
    let generation = gap * u32::try_from(tokens).unwrap_or(u32::MAX);
    Times {
        ttfb: Some(ttft),
        ttft: Some(ttft),
        upstream_ttft: Some(ttft),
        ttfo: Some(ttft),
        generation: Some(generation),
        tpot: Some(gap),
        itl_mean: Some(gap),
        itl_max: Some(gap * 4),
        itl_count: tokens.min(40),
        e2e: ttft + generation,
        upload: Some(Duration::from_micros(90)),
        queue: Some(dice.around(Duration::from_micros(400))),
        connect: Some(Duration::ZERO),
        overhead: dice.around(Duration::from_micros(60)),
        client_stall: Some(Duration::ZERO),
        ..Times::default()
    }
}

fn record(plan: &Plan, dice: &mut Dice, n: u64, started_at: UnixMillis) -> MetricRecord {
    // Few users ask much, and each mostly asks one model.
    let user = dice.skewed(plan.users.len());
    let model = if dice.below(5) == 0 {
        dice.pick(&plan.models)
    } else {
        Name::clone(&plan.models[user % plan.models.len()])
    };
    let ttft = dice.around(Duration::from_millis(180));
    let gap = dice.around(Duration::from_millis(14));
    let tokens = 20 + dice.below(400);
    let failed = dice.below(100) == 0;
    let mut gaps = Sketch::default();
    for _ in 0..tokens.min(40) {
        gaps.add(dice.around(gap));
    }
    MetricRecord {
        id: format!(
            "{:08x}-{:04x}-7000-8000-{n:012x}",
            started_at.0 >> 16,
            started_at.0 & 0xffff
        )
        .into(),
        started_at,
        trace_id: None,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        pool: Some("default".into()),
        model_requested: Some(Name::clone(&model)),
        model: Some(model),
        replica: Some(dice.pick(&plan.replicas)),
        attempts: Attempts(1),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: Some(true),
            ..Shape::default()
        },
        status: Some(if failed { 502 } else { 200 }),
        outcome: if failed {
            Outcome::UpstreamError
        } else {
            Outcome::Success
        },
        error_type: None,
        finish_reason: Some(FinishReason::Stop),
        terminal: Some(!failed),
        times: times(dice, ttft, gap, tokens),
        gaps,
        usage: Usage {
            prompt: Some(Tokens(200 + dice.below(4_000))),
            completion: Some(Tokens(tokens)),
            cached: Some(Tokens(dice.below(200))),
            source: UsageSource::Final,
            token_events: Some(tokens),
            arrivals: Some(tokens),
            ..Usage::default()
        },
        engine: Engine::default(),
        identity: Identity {
            key: Some("key-1".into()),
            user: plan.users.get(user).map(Name::clone),
            ..Identity::default()
        },
        request_bytes: 4_000,
        response_bytes: tokens * 220,
        good: Some(!failed && ttft < Duration::from_secs(2)),
        flags: Flags::default(),
    }
}

// === impl Dice ===

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// A place in a list of `len`: the first ones much more often.
    fn skewed(&mut self, len: usize) -> usize {
        let len = u64::try_from(len).unwrap_or(1);
        let share = count_f64(self.below(1 << 20)) / count_f64(1 << 20);
        let place = Duration::from_secs_f64(share.powi(3) * count_f64(len)).as_secs();
        usize::try_from(place.min(len - 1)).unwrap_or(0)
    }

    fn pick(&mut self, names: &[Name]) -> Name {
        let place = usize::try_from(self.below(u64::try_from(names.len()).unwrap_or(1))).unwrap_or(0);
        names.get(place).map_or_else(|| "none".into(), Name::clone)
    }

    /// Log-normal around a median, with a tail: about what latencies look like.
    fn around(&mut self, median: Duration) -> Duration {
        let normal: f64 = (0..6)
            .map(|_| count_f64(self.below(1_000)) / 500.0 - 1.0)
            .sum::<f64>()
            * 0.7;
        median.mul_f64((normal * 0.5).exp())
    }
}
