//! `backup` and `ledger ...`: what people do to a ledger by hand. Each works beside a running streamgauge
//! unless it says that it does not.
//!
//! What they print goes to stdout, as text or with `--json` as one object; progress goes to stderr, and only
//! where somebody watches.

mod check;
mod copies;
mod output;
mod room;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::{LogOptions, Options};
use crate::config::{Config, Environment, load};
use crate::failure::Failure;

/// What `backup` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct BackupOptions {
    /// The file to write
    file: PathBuf,
    /// Overwrite the file when it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

/// What every command on a ledger takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

/// What to do with a ledger.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Is the file sound, and do all sums add up? Exit code 3 when not
    Check {
        /// Compare every index with its table too (slow)
        #[arg(long)]
        full: bool,
        #[command(flatten)]
        common: Common,
    },
    /// What is in it, and what takes the room
    Stats {
        #[command(flatten)]
        common: Common,
    },
    /// Apply the configured retention now and shrink the file; not while a proxy writes to it
    Prune {
        #[command(flatten)]
        common: Common,
    },
    /// Copy a SQLite ledger into PostgreSQL; not while a proxy writes to the SQLite one. Goes on where it was
    /// stopped
    Copy {
        /// The ledger to copy, such as sqlite://data/streamgauge.db
        #[arg(long, value_name = "URL")]
        from: String,
        /// Where to, such as postgres://user:password@host/database
        #[arg(long, value_name = "URL")]
        to: String,
        #[command(flatten)]
        common: Common,
    },
    /// Put a backup in the place of the ledger, which is kept beside it; not while a proxy writes to it
    Restore {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

/// Copies the ledger to a file.
///
/// # Errors
/// When there is no backup afterwards.
pub(crate) fn backup(options: &BackupOptions, env: &Environment) -> Result<(), Failure> {
    let config = options.common.config(env)?;
    run(copies::backup(
        &config,
        &options.file,
        options.force,
        options.common.json,
    ))
}

/// Runs one of the `ledger` commands.
///
/// # Errors
/// When it could not be done, or [`Failure::Findings`].
pub(crate) fn ledger(command: &LedgerCommand, env: &Environment) -> Result<(), Failure> {
    let common = command.common();
    let (config, json) = (common.config(env)?, common.json);
    match command {
        LedgerCommand::Check { full, .. } => run(check::run(&config, *full, json)),
        LedgerCommand::Stats { .. } => run(room::stats(&config, json)),
        LedgerCommand::Prune { .. } => run(room::prune(&config, json)),
        LedgerCommand::Copy { from, to, .. } => run(copies::copy(from, to, json)),
        LedgerCommand::Restore { file, .. } => run(copies::restore(&config, file, json)),
    }
}

fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(work)
}

// === impl BackupOptions ===

impl BackupOptions {
    /// How it logs.
    pub(crate) const fn log(&self) -> &LogOptions {
        &self.common.options.log
    }
}

// === impl Common ===

impl Common {
    fn config(&self, env: &Environment) -> Result<Config, Failure> {
        Ok(load(self.options.config.as_deref(), env, &self.options.flags())?)
    }
}

// === impl LedgerCommand ===

impl LedgerCommand {
    /// How it logs.
    pub(crate) const fn log(&self) -> &LogOptions {
        &self.common().options.log
    }

    const fn common(&self) -> &Common {
        match self {
            Self::Check { common, .. }
            | Self::Stats { common }
            | Self::Prune { common }
            | Self::Copy { common, .. }
            | Self::Restore { common, .. } => common,
        }
    }
}
