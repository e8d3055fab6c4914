//! streamgauge: a measuring, balancing reverse proxy for LLM serving.
//!
//! One binary, two processes: `up` supervises `proxy` and `metrics-api`. Here the command line is read and
//! the command is run; what the commands do lives in their crates.

mod children;
mod cli;
mod clock;
mod config;
mod failure;
mod fill;
mod fleet;
mod ledger_command;
mod logging;
mod preflight;
mod supervisor;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use cli::{Cli, Command, Options, Simulate};
use config::{Environment, Secrets};
use failure::Failure;

/// Small buffers of many streams live and die at once; mimalloc was measured faster here than the system's
/// malloc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().into_command();
    let env = Environment::of_process();
    if let Err(message) = logging::start(command.log(), env.get("RUST_LOG")) {
        return Failure::Runtime(anyhow::anyhow!("--log-level: {message}")).report();
    }
    let outcome = match &command {
        Command::Up(options) => supervisor::up(options, &env),
        Command::Proxy(options) => children::proxy(options, &env),
        Command::MetricsApi(options) => children::metrics_api(options, &env),
        Command::Check(options) => check(options, &env),
        Command::Backup(options) => ledger_command::backup(options, &env),
        Command::Ledger(command) => ledger_command::ledger(command, &env),
        Command::Simulate(options) => simulate(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Touches neither ports nor ledger: it may run beside a live streamgauge.
fn check(options: &Options, env: &Environment) -> Result<(), Failure> {
    let config = config::load(options.config.as_deref(), env, &options.flags())?;
    let yaml = config.to_yaml(Secrets::Masked);
    std::io::stdout()
        .write_all(yaml.as_bytes())
        .context("writing the configuration")?;
    Ok(())
}

fn simulate(options: &Simulate) -> Result<(), Failure> {
    if options.fleet.fleet {
        let table = fleet::simulate(&options.fleet, options.arguments.replicas, options.arguments.seed);
        std::io::stdout()
            .write_all(table.as_bytes())
            .context("writing the table")?;
        return Ok(());
    }
    let arguments = &options.arguments;
    if let Some(url) = &options.fill.fill {
        return fill::fill(url, &options.fill, arguments.replicas, arguments.seed);
    }
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    Ok(runtime.block_on(simulator::run(options.arguments.clone()))?)
}
