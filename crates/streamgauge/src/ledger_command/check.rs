//! `streamgauge ledger check`: is the file sound, and do all sums add up?

use std::fmt::Write as _;

use anyhow::Context as _;
use ledger::{Audit, AuditStep, Depth, TierAudit};
use record::units::format_duration;
use serde_json::{Value, json};

use super::output::{Progress, moment, print};
use crate::config::Config;
use crate::failure::Failure;

/// Looks at the ledger and says what was found.
pub(super) async fn run(config: &Config, full: bool, json: bool) -> Result<(), Failure> {
    let depth = if full { Depth::Full } else { Depth::Quick };
    let mut progress = Progress::default();
    let audit = ledger::audit(&config.proxy.ledger, depth, |step| {
        progress.show(&match step {
            AuditStep::File => "reading the file".to_owned(),
            AuditStep::Rows { counted } => format!("counting rows: {counted}"),
            AuditStep::Sums => "comparing sums".to_owned(),
        });
    })
    .await
    .context("checking the ledger")?;
    drop(progress);
    print(json, &object(&audit), &lines(&audit))?;
    if audit.findings.is_empty() {
        Ok(())
    } else {
        Err(Failure::Findings {
            count: audit.findings.len(),
        })
    }
}

fn object(audit: &Audit) -> Value {
    let tier = |tier: &TierAudit| {
        json!({
            "cube": tier.cube,
            "width": format_duration(tier.width),
            "from": moment(Some(tier.from)),
            "to": tier.to.map(|to| moment(Some(to))),
            "counted": tier.counted,
            "expected": tier.expected,
        })
    };
    json!({
        "sound": audit.findings.is_empty(),
        "findings": audit.findings,
        "requests": audit.requests,
        "requests_without_row": audit.without_row,
        "tiers": audit.tiers.iter().map(tier).collect::<Vec<_>>(),
    })
}

fn lines(audit: &Audit) -> String {
    let mut text = String::new();
    for tier in &audit.tiers {
        let agrees = if tier.counted == tier.expected { "=" } else { "!" };
        // A string takes everything.
        let _ = writeln!(
            text,
            "{agrees} sums of {:>4} by {:<6} {:>12} requests since {}",
            format_duration(tier.width),
            tier.cube,
            tier.counted,
            moment(Some(tier.from))
        );
    }
    if audit.without_row > 0 {
        let _ = writeln!(
            text,
            "{} requests are counted and have no row: they ended while the ledger took none",
            audit.without_row
        );
    }
    for finding in &audit.findings {
        let _ = writeln!(text, "! {finding}");
    }
    if audit.findings.is_empty() {
        let _ = write!(text, "sound: {} requests, every sum adds up", audit.requests);
    } else {
        let _ = write!(
            text,
            "not sound: restore a backup with `streamgauge ledger restore FILE`, or start with a new file"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_with_the_way_out() {
        let mut audit = Audit {
            requests: 7,
            ..Audit::default()
        };
        assert_eq!(lines(&audit), "sound: 7 requests, every sum adds up");
        assert_eq!(object(&audit)["sound"], json!(true));
        audit.findings.push("row 3 missing from index".to_owned());
        audit.without_row = 2;
        let text = lines(&audit);
        assert!(
            text.contains("! row 3") && text.contains("2 requests") && text.contains("restore"),
            "{text}"
        );
        assert_eq!(object(&audit)["sound"], json!(false));
    }
}
