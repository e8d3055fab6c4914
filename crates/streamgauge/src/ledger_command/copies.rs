//! `streamgauge backup FILE` and `streamgauge ledger restore FILE`: a copy of the ledger, and back.
//! `streamgauge ledger copy`: a copy in another engine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use ledger::{BackupStep, CopyStep};
use serde_json::json;

use super::output::{Progress, print, size};
use crate::clock;
use crate::config::Config;
use crate::failure::Failure;

/// Makes the backup and says what is in it.
pub(super) async fn backup(config: &Config, file: &Path, force: bool, json: bool) -> Result<(), Failure> {
    let began = clock::now();
    let mut progress = Progress::default();
    let made = ledger::backup(&config.proxy.ledger, file, force, |step| {
        progress.show(&match step {
            BackupStep::Copying { bytes, of } => format!("copying: {} of {}", size(bytes), size(of)),
            BackupStep::Checking => "checking the copy".to_owned(),
        });
    })
    .await
    .context("no backup was made")?;
    drop(progress);
    let took = clock::now().saturating_duration_since(began);
    let path = made.path.display().to_string();
    let object = json!({
        "path": path,
        "bytes": made.bytes,
        "requests": made.requests,
        "seconds": took.as_secs_f64(),
    });
    let lines = format!(
        "{path}: {}, {} requests, checked, in {:.1} s",
        size(made.bytes),
        made.requests,
        took.as_secs_f64()
    );
    Ok(print(json, &object, &lines)?)
}

/// Puts the backup there. What was there is kept beside it.
pub(super) async fn restore(config: &Config, file: &Path, json: bool) -> Result<(), Failure> {
    let mut progress = Progress::default();
    progress.show("checking and copying the backup");
    let restored = ledger::restore(&config.proxy.ledger, file)
        .await
        .context("nothing was restored")?;
    drop(progress);
    let kept = restored.kept.map(|path| path.display().to_string());
    let object = json!({"requests": restored.requests, "kept": kept});
    let mut lines = format!("{} requests are restored", restored.requests);
    if let Some(kept) = kept {
        // A string takes everything.
        let _ = write!(lines, "; what was there is kept as {kept}");
    }
    Ok(print(json, &object, &lines)?)
}

/// Copies a ledger into another engine.
pub(super) async fn copy(from: &str, to: &str, json: bool) -> Result<(), Failure> {
    let began = clock::now();
    let mut progress = Progress::default();
    let copied = ledger::copy(from, to, |step| {
        progress.show(&match step {
            CopyStep::Requests { copied, of } => format!("copying requests: {copied} of {of}"),
            CopyStep::Sums { copied } => format!("copying sums: {copied}"),
        });
    })
    .await
    .context("the copy is not finished; the same command goes on with it")?;
    drop(progress);
    let took = clock::now().saturating_duration_since(began).as_secs_f64();
    let (requests, sums) = (copied.requests, copied.sums);
    let object = json!({"requests": requests, "sums": sums, "seconds": took});
    let lines = format!("{requests} requests and {sums} sums are copied and counted again, in {took:.1} s");
    Ok(print(json, &object, &lines)?)
}
