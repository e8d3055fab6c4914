//! The flags of `streamgauge simulate`, and the settings they make.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use record::units::parse_duration;
use thiserror::Error;

use crate::fault::FaultRate;
use crate::load::{LoadSettings, Mode, Traffic};
use crate::settings::{Settings, TokenRange};

/// Simulate vLLM replicas, send load to a server, or both.
///
/// Without `--drive` it serves replicas. With `--drive` alone it only sends requests. With `--drive` and
/// `--port` or `--replicas` it does both.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Replicas")]
pub struct Args {
    /// Port of the first replica; the others take the ports after it [default: 9000]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Number of replicas, 1 to 256 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub replicas: Option<u16>,
    /// Address that the replicas listen on
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Model that the replicas serve; may be given several times
    #[arg(
        long = "model",
        value_name = "NAME",
        default_value = "meta-llama/Llama-3.3-70B-Instruct"
    )]
    pub models: Vec<String>,
    /// Time to the first token of an empty prompt, such as 80ms
    #[arg(long, value_name = "TIME", default_value = "80ms", value_parser = parse_duration)]
    pub ttft: Duration,
    /// Prefill time of each prompt token that is not in the prefix cache, such as 50us
    #[arg(long, value_name = "TIME", default_value = "50us", value_parser = parse_duration)]
    pub prefill: Duration,
    /// Time between two tokens, such as 12ms
    #[arg(long, value_name = "TIME", default_value = "12ms", value_parser = parse_duration)]
    pub itl: Duration,
    /// Spread of all times: 0 is exact, 0.3 lively, 1 wild
    #[arg(long, value_name = "SIGMA", default_value_t = 0.3, value_parser = share_to_two)]
    pub jitter: f64,
    /// How much a full batch stretches the time between tokens: 0 to 2
    #[arg(long, value_name = "FACTOR", default_value_t = 0.5, value_parser = share_to_two)]
    pub contention: f64,
    /// Completion tokens of an answer, drawn evenly from this range
    #[arg(long, value_name = "MIN..MAX", default_value = "40..400")]
    pub tokens: TokenRange,
    /// Share of the completion tokens that is reasoning, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub reasoning: f64,
    /// Speed of each replica in turn, such as 1,1,0.5: the third takes twice as long
    #[arg(long, value_name = "FACTOR", value_delimiter = ',', default_value = "1", value_parser = speed)]
    pub speed: Vec<f64>,
    /// Requests that a replica runs at once; more wait in line
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_num_seqs: u32,
    /// How long a replica keeps an unused connection
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub keep_alive: Duration,
    /// A fault and the share of requests it strikes, such as cut=0.01 or status=503:0.02; may be given
    /// several times. Faults: status, hang, slow-head, ping, stall, cut, end, reset, error, malformed, split,
    /// coalesce, no-usage, no-done
    #[arg(long = "fault", value_name = "NAME[=VALUE:]RATE")]
    pub faults: Vec<FaultRate>,
    /// Seed of all chance; the same seed makes the same run
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Send requests of several fake applications to this server, such as http://127.0.0.1:8001
    #[arg(long, value_name = "URL", help_heading = "Load")]
    pub drive: Option<String>,
    /// Mean requests a second, arriving at random; left out, each connection asks again when it is answered
    #[arg(long, value_name = "N", requires = "drive", value_parser = rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// Requests under way at most [default: 512 with --rate, 16 without]
    #[arg(
        long,
        value_name = "N",
        requires = "drive",
        value_parser = clap::value_parser!(u32).range(1..=20_000),
        help_heading = "Load"
    )]
    pub connections: Option<u32>,
    /// How long to send, such as 60s; left out, until it is stopped
    #[arg(
        long,
        value_name = "TIME",
        requires = "drive",
        value_parser = parse_duration,
        help_heading = "Load"
    )]
    pub duration: Option<Duration>,
    /// How many requests to send; left out, no limit
    #[arg(long, value_name = "N", requires = "drive", help_heading = "Load")]
    pub requests: Option<u64>,
    /// Share of the requests whose client leaves early, 0 to 1
    #[arg(
        long,
        value_name = "SHARE",
        requires = "drive",
        default_value_t = 0.02,
        value_parser = share,
        help_heading = "Load"
    )]
    pub abort_rate: f64,
    /// Share of the requests that are wrong (unknown model, broken JSON), 0 to 1
    #[arg(
        long,
        value_name = "SHARE",
        requires = "drive",
        default_value_t = 0.005,
        value_parser = share,
        help_heading = "Load"
    )]
    pub mistake_rate: f64,
    /// Share of the requests that stream, 0 to 1; left out, each application has its own
    #[arg(long, value_name = "SHARE", requires = "drive", value_parser = share, help_heading = "Load")]
    pub stream_share: Option<f64>,
    /// Send at a steady rate, without swings and bursts
    #[arg(long, requires = "drive", help_heading = "Load")]
    pub steady: bool,
    /// Write the x-request-id of each answer that was received whole to this file, one a line, at the end
    #[arg(long, value_name = "FILE", requires = "drive", help_heading = "Load")]
    pub ids: Option<PathBuf>,
    /// Compare the times of each stream with its record in this metrics API, such as http://127.0.0.1:8002
    #[arg(long, value_name = "URL", requires = "drive", help_heading = "Load")]
    pub compare: Option<String>,
    /// API key to send in place of the applications' own
    #[arg(long, value_name = "KEY", requires = "drive", help_heading = "Load")]
    pub key: Option<String>,
}

/// Flags that do not go together.
#[derive(Debug, Error)]
pub enum ArgsError {
    /// The last replica's port would lie above 65535.
    #[error("--port {port} with --replicas {replicas} needs ports above 65535; choose a lower --port")]
    PortRange {
        /// The first port.
        port: u16,
        /// The number of replicas.
        replicas: u16,
    },
}

/// First port when none is given.
const PORT: u16 = 9_000;
/// Requests under way at most when nothing is said: open loop, closed loop.
const CONNECTIONS: (usize, usize) = (512, 16);

// === impl Args ===

impl Args {
    /// Settings of each replica; empty when only load is wanted.
    ///
    /// # Errors
    /// When the ports run out.
    pub fn replicas(&self) -> Result<Vec<Settings>, ArgsError> {
        if self.drive.is_some() && self.port.is_none() && self.replicas.is_none() {
            return Ok(Vec::new());
        }
        let (port, replicas) = (self.port.unwrap_or(PORT), self.replicas.unwrap_or(1));
        (0..replicas)
            .map(|at| {
                let port = port
                    .checked_add(at)
                    .ok_or(ArgsError::PortRange { port, replicas })?;
                Ok(self.replica(at, SocketAddr::new(self.host, port)))
            })
            .collect()
    }

    /// Settings of the load; `None` when only replicas are wanted.
    #[must_use]
    pub fn load(&self) -> Option<LoadSettings> {
        let target = self.drive.as_ref()?;
        let connections = self.connections.and_then(|count| usize::try_from(count).ok());
        let mode = match self.rate {
            Some(rate) => {
                let connections = connections.unwrap_or(CONNECTIONS.0);
                Mode::Open {
                    rate,
                    connections,
                    bursts: !self.steady,
                }
            }
            None => Mode::Closed {
                connections: connections.unwrap_or(CONNECTIONS.1),
            },
        };
        let mut load = LoadSettings::new(target);
        if self.port.is_some() || self.replicas.is_some() {
            // The replicas are of use while nobody listens at the target yet.
            load.patience = Duration::MAX;
        }
        Some(LoadSettings {
            mode,
            traffic: Traffic::Applications {
                models: Vec::new(),
                stream_share: self.stream_share,
                mistake_rate: self.mistake_rate,
                key: self.key.clone(),
            },
            abort_rate: self.abort_rate,
            duration: self.duration,
            requests_max: self.requests,
            keep_ids: self.ids.is_some(),
            keep_times: self.compare.is_some(),
            seed: self.seed,
            ..load
        })
    }

    fn replica(&self, at: u16, listen: SocketAddr) -> Settings {
        let speeds = self.speed.len().max(1);
        Settings {
            listen,
            models: self.models.clone(),
            ttft: self.ttft,
            prefill_per_token: self.prefill,
            itl: self.itl,
            jitter: self.jitter,
            contention: self.contention,
            speed: self.speed.get(usize::from(at) % speeds).copied().unwrap_or(1.0),
            tokens: self.tokens,
            reasoning: self.reasoning,
            max_num_seqs: usize::try_from(self.max_num_seqs).unwrap_or(usize::MAX),
            keep_alive: self.keep_alive,
            // Replicas that draw the same would stumble together.
            seed: self.seed.wrapping_mul(1_000).wrapping_add(u64::from(at)),
            faults: self.faults.clone(),
            ..Settings::default()
        }
    }
}

fn number(text: &str, low: f64, high: f64) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|value| (low..=high).contains(value))
        .ok_or_else(|| format!("`{text}` is not a number from {low} to {high}"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1.0)
}

fn share_to_two(text: &str) -> Result<f64, String> {
    number(text, 0.0, 2.0)
}

fn speed(text: &str) -> Result<f64, String> {
    number(text, 0.001, 1_000.0)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.001, 1_000_000.0)
}

#[cfg(test)]
mod tests;
