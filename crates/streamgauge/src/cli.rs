//! The command line. Flags only name things; what they mean is decided in [`crate::config`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flags;
use crate::fill::FillOptions;
use crate::fleet::FleetArgs;
use crate::ledger_command::{BackupOptions, LedgerCommand};

const ABOUT: &str = "Measures every request in front of vLLM and other OpenAI-compatible servers";

/// Each paragraph is one line: clap breaks it to the width of the terminal.
const LONG_ABOUT: &str = concat!(
    "streamgauge is a reverse proxy in front of vLLM (or any OpenAI-compatible) replicas. It balances load ",
    "over them and measures every request: time to first token, gaps between tokens, tokens, errors and ",
    "aborts. One record for each request goes into a ledger; the metrics API shows it as JSON, for ",
    "Prometheus and on a dashboard.\n\n",
    "Without a command it runs `up`. Every setting has a default: with no file and no flag it serves the ",
    "replica at http://127.0.0.1:8000 on port 8001 and the dashboard on http://127.0.0.1:8002."
);

const EXAMPLES: &str = "\
Examples:
  streamgauge --upstream http://127.0.0.1:8000
          proxy and dashboard in front of one replica, no file needed
  streamgauge --config streamgauge.yaml
          everything from a file
  streamgauge check --config streamgauge.yaml
          is the file right, and what does it come to?
  streamgauge backup backups/today.db
          copy the ledger while everything runs
  streamgauge proxy --config streamgauge.yaml
          only the proxy, as in a container; `metrics-api` is the other half

Signals to `up`:
  SIGTERM, SIGINT    finish the running requests, write every record, leave
  SIGHUP             read the configuration again; the running proxy takes over pools and limits
  SIGQUIT, SIGUSR2   the same with new processes, as after the binary was replaced; no request is lost

Exit code: 0 after a signal or when all is done, 1 when something failed at run time, 2 when the
configuration is wrong, 3 when `ledger check` found something.";

/// Version and git revision, from `build.rs`.
pub(crate) const VERSION: &str = env!("STREAMGAUGE_VERSION");

/// The git revision alone; empty when it is not known.
pub(crate) const REVISION: &str = env!("STREAMGAUGE_REVISION");

/// The version of the compiler that built it.
pub(crate) const RUSTC: &str = env!("STREAMGAUGE_RUSTC");

/// The command line of `streamgauge`.
#[derive(Debug, Parser)]
#[command(name = "streamgauge", version = VERSION, about = ABOUT, long_about = LONG_ABOUT)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run proxy and metrics API as two supervised processes (the default command)
    Up(Options),
    /// Run only the proxy
    Proxy(ChildOptions),
    /// Run only the metrics API and the dashboard
    MetricsApi(ApiOptions),
    /// Check the configuration and print it in full, with secrets masked
    Check(Options),
    /// Copy the ledger to a file, also while it is written to
    Backup(BackupOptions),
    /// Check, measure, prune or restore the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Run simulated vLLM replicas, send load, or compare routing policies over a simulated fleet
    Simulate(Box<Simulate>),
}

/// What `up` and `check` take.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Configuration file (YAML)
    #[arg(long, value_name = "FILE", env = "STREAMGAUGE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A replica, such as http://10.0.0.1:8000; repeat for more. Replaces the file's list
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// Address of the inference port; repeat for more [default: 0.0.0.0:8001]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Address of API, dashboard and /metrics [default: 127.0.0.1:8002]
    #[arg(long, value_name = "ADDRESS")]
    api_listen: Option<String>,
    /// Address of the proxy's /healthz, /readyz and /metrics [default: 127.0.0.1:8003]
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<String>,
    /// Where records are kept [default: sqlite://data/streamgauge.db]
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// How to log.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogOptions {
    /// error, warn, info, debug, trace, or a filter such as proxy=debug [default: RUST_LOG, else info]
    #[arg(long, value_name = "LEVEL", env = "STREAMGAUGE_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Form of the log lines
    #[arg(
        long,
        value_name = "FORM",
        env = "STREAMGAUGE_LOG_FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each line.
    Json,
}

/// What a process takes that may be a child of `up`. The hidden flags are between parent and child only.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChildOptions {
    #[command(flatten)]
    pub(crate) options: Options,
    /// The file is complete: no environment, no flags, no substitution.
    #[arg(long, hide = true)]
    pub(crate) resolved: bool,
    /// The process that must be alive for this one to go on.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) parent: Option<u32>,
}

/// What `metrics-api` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ApiOptions {
    #[command(flatten)]
    pub(crate) child: ChildOptions,
    /// The listening socket is the standard input.
    #[arg(long, hide = true)]
    pub(crate) inherited: bool,
}

/// What `simulate` takes.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    #[command(flatten)]
    pub(crate) arguments: simulator::Args,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) fill: FillOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

// === impl Cli ===

impl Cli {
    /// The command, with `up` for none.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Up(self.options))
    }
}

// === impl Command ===

impl Command {
    /// How this command logs.
    pub(crate) const fn log(&self) -> &LogOptions {
        match self {
            Self::Up(options) | Self::Check(options) => &options.log,
            Self::Proxy(options) => &options.options.log,
            Self::MetricsApi(options) => &options.child.options.log,
            Self::Backup(options) => options.log(),
            Self::Ledger(command) => command.log(),
            Self::Simulate(options) => &options.log,
        }
    }
}

// === impl Options ===

impl Options {
    /// The settings among the flags.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            upstream: self.upstream.clone(),
            listen: self.listen.clone(),
            api_listen: self.api_listen.clone(),
            ops_listen: self.ops_listen.clone(),
            ledger: self.ledger.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_up_with_the_flags_that_stand_there() {
        let cli = Cli::parse_from([
            "streamgauge",
            "--upstream",
            "http://a:1",
            "--upstream",
            "http://b:2",
        ]);
        let Command::Up(options) = cli.into_command() else {
            panic!("`up` is the default")
        };
        assert_eq!(options.flags().upstream, ["http://a:1", "http://b:2"]);
    }
}
