//! `streamgauge simulate --fill`: a ledger with a past, so that anyone can see how it answers when it is
//! full.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use ledger::{Keep, Writer};
use record::units::count_f64;
use record::{Pulse, UnixMillis};
use simulator::{Past, PastSettings};

use crate::clock;
use crate::failure::Failure;

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// Requests between two looks at the clock.
const LOOK_EVERY: u64 = 10_000;

/// The flags of a fill.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Fill")]
pub(crate) struct FillOptions {
    /// Fill this new ledger with a made-up past instead, such as sqlite:///tmp/year.db, and end. --seed makes
    /// another past, --replicas says how many each model has [default: 4]
    #[arg(long, value_name = "URL", conflicts_with_all = ["drive", "port"])]
    pub(crate) fill: Option<String>,
    /// How many requests the past has
    #[arg(long, value_name = "N", default_value_t = 1_000_000, requires = "fill")]
    fill_requests: u64,
    /// How many days it is long
    #[arg(long, value_name = "DAYS", default_value_t = 365, requires = "fill")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_650))]
    fill_days: u32,
    /// How many models there are
    #[arg(long, value_name = "N", default_value_t = 20, requires = "fill")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1_000))]
    fill_models: u16,
    /// How many end users there are
    #[arg(long, value_name = "N", default_value_t = 5_000, requires = "fill")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    fill_users: u32,
}

/// Makes the past. Ends at the present moment.
pub(crate) fn fill(
    url: &str,
    options: &FillOptions,
    replicas: Option<u16>,
    seed: u64,
) -> Result<(), Failure> {
    let until = clock::wall();
    let settings = PastSettings {
        requests: options.fill_requests,
        days: options.fill_days,
        until,
        models: options.fill_models,
        replicas: replicas.unwrap_or(4),
        users: options.fill_users,
        seed,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    Ok(runtime.block_on(run(url, settings))?)
}

async fn run(url: &str, settings: PastSettings) -> anyhow::Result<()> {
    let begin = clock::now();
    let keep = Keep::default();
    let mut writer = Writer::open(url).await.context("opening the ledger")?;
    let mut past = Past::new(settings);
    let mut history = writer
        .history(&keep, settings.until)
        .await
        .context("beginning the past")?;
    let mut made = 0;
    let mut shown = begin;
    while let Some(record) = past.next_request() {
        history.add(record).await.context("filling the ledger")?;
        made += 1;
        if made % LOOK_EVERY == 0 && clock::now() - shown >= SHOWN_EVERY {
            shown = clock::now();
            show(made, settings.requests, begin, shown)?;
        }
    }
    history.finish().await.context("filling the ledger")?;
    // A proxy was there to the end, and retention has been at work.
    writer.append(&[], Some(&pulse(settings.until))).await?;
    while writer.prune(&keep, settings.until).await?.more {}
    writer.close().await?;
    let writer = Writer::open(url).await.context("opening the ledger")?;
    let bytes = writer.health().file_bytes.unwrap_or(0);
    writer.close().await?;
    let seconds = (clock::now() - begin).as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{made} requests over {} days in {seconds:.0} s, {:.0} a second; the ledger has {:.1} MB",
        settings.days,
        count_f64(made) / seconds,
        count_f64(bytes) / 1e6
    )?;
    Ok(())
}

fn show(made: u64, whole: u64, begin: Instant, now: Instant) -> anyhow::Result<()> {
    let rate = count_f64(made) / (now - begin).as_secs_f64();
    let left = count_f64(whole.saturating_sub(made)) / rate.max(1.0);
    writeln!(
        std::io::stderr(),
        "{:5.1} %, {rate:.0} requests a second, {left:.0} s left",
        100.0 * count_f64(made) / count_f64(whole.max(1))
    )?;
    Ok(())
}

fn pulse(at: UnixMillis) -> Pulse {
    Pulse {
        instance: "simulated".into(),
        version: crate::cli::VERSION.to_owned(),
        started_at: at,
        at,
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families: Vec::new(),
    }
}
