//! `streamgauge ledger stats` and `prune`: what takes the room, and giving it back.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ledger::{Statistics, TierSize, Writer};
use record::units::format_duration;
use serde_json::{Map, Value, json};

use super::output::{Progress, moment, print, size};
use crate::clock;
use crate::config::Config;
use crate::failure::Failure;

/// Measures the ledger.
pub(super) async fn stats(config: &Config, json: bool) -> Result<(), Failure> {
    let mut progress = Progress::default();
    progress.show("measuring");
    let found = ledger::statistics(&config.proxy.ledger).await;
    drop(progress);
    let found = found.context("measuring the ledger")?.ok_or_else(|| {
        anyhow!("only a ledger in SQLite is measured here; in psql, \\dt+ shows the sizes of the tables")
    })?;
    Ok(print(json, &object(&found), &lines(&found))?)
}

/// Deletes what is past its time and gives the room back. Takes the writer's lock, so that it never competes
/// with a proxy, which does the same by itself once a minute.
pub(super) async fn prune(config: &Config, json: bool) -> Result<(), Failure> {
    let mut writer = Writer::open(&config.proxy.ledger)
        .await
        .context("a running proxy prunes by itself, once a minute")?;
    let before = writer.health().file_bytes;
    let keep = config.proxy.retention.keep();
    let mut progress = Progress::default();
    let mut rows = 0;
    loop {
        let step = writer.prune(&keep, clock::wall());
        let pruned = step.await.context("pruning the ledger")?;
        rows += pruned.rows;
        progress.show(&format!("{rows} rows and sums deleted"));
        if !pruned.more {
            break;
        }
    }
    drop(progress);
    let after = writer.health().file_bytes;
    // Closing writes the log back, so that the size is that of the one file that is left.
    writer.close().await.context("closing the ledger")?;
    let after = match crate::config::ledger_path(&config.proxy.ledger) {
        Some(path) => std::fs::metadata(path).map(|found| found.len()).ok(),
        None => after,
    };
    let object = json!({"deleted": rows, "file_bytes_before": before, "file_bytes": after});
    let lines = format!(
        "{rows} rows and sums deleted, file {} -> {}",
        size(before.unwrap_or(0)),
        size(after.unwrap_or(0))
    );
    Ok(print(json, &object, &lines)?)
}

fn object(found: &Statistics) -> Value {
    let tables: Map<String, Value> = found
        .tables
        .iter()
        .map(|table| (table.name.clone(), table.bytes.into()))
        .collect();
    let names: Map<String, Value> = found
        .names
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), (*count).into()))
        .collect();
    let tier = |tier: &TierSize| {
        json!({
            "cube": tier.cube,
            "seconds": tier.seconds,
            "sheets": tier.sheets,
            "requests": tier.requests,
            "bytes": tier.bytes,
            "oldest": moment(Some(tier.oldest)),
            "newest": moment(Some(tier.newest)),
        })
    };
    json!({
        "schema": found.schema,
        "file_bytes": found.file_bytes,
        "free_bytes": found.free_bytes,
        "wal_bytes": found.wal_bytes,
        "requests": found.requests,
        "oldest": found.oldest.map(|at| moment(Some(at))),
        "newest": found.newest.map(|at| moment(Some(at))),
        "tables": tables,
        "tiers": found.tiers.iter().map(tier).collect::<Vec<_>>(),
        "names": names,
    })
}

fn lines(found: &Statistics) -> String {
    let mut text = format!(
        "file      {} ({} of it free), log {}, schema {}\n",
        size(found.file_bytes),
        size(found.free_bytes),
        size(found.wal_bytes),
        found.schema
    );
    // A string takes everything.
    let _ = writeln!(
        text,
        "requests  {}, from {} to {} UTC\n",
        found.requests,
        moment(found.oldest),
        moment(found.newest)
    );
    for table in &found.tables {
        let _ = writeln!(text, "{:<24} {:>10}", table.name, size(table.bytes));
    }
    let _ = writeln!(
        text,
        "\nsums of     by       values      requests       size  from                 to"
    );
    for tier in &found.tiers {
        let _ = writeln!(
            text,
            "{:<11} {:<6} {:>8} {:>13} {:>10}  {}  {}",
            format_duration(Duration::from_secs(tier.seconds)),
            tier.cube,
            tier.sheets,
            tier.requests,
            size(tier.bytes),
            moment(Some(tier.oldest)),
            moment(Some(tier.newest))
        );
    }
    let names: Vec<String> = found
        .names
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let _ = write!(text, "\nnames     {}", names.join(", "));
    text
}
