//! An audit finds what is wrong with a ledger, and nothing in a sound one.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use ledger::{AuditError, AuditStep, Depth, Keep, Remainder, audit, statistics};
use record::UnixMillis;

use crate::faults::stranger;
use crate::support::{NOON, Place, block_on, plain};

const HOUR_MS: i64 = 3_600_000;

/// Three days of requests, so that several tiers are folded.
async fn fill(place: &Place) {
    let mut writer = place.writer().await;
    for hour in 0..72 {
        let batch: Vec<_> = (0..20)
            .map(|n| {
                plain(
                    &format!("r-{hour}-{n}"),
                    UnixMillis(NOON.0 + hour * HOUR_MS + n * 61_000),
                )
            })
            .collect();
        writer.append(&batch, None).await.unwrap();
    }
    writer.close().await.unwrap();
}

#[test]
fn a_sound_ledger_has_no_findings_and_every_tier_adds_up() {
    block_on(async {
        let place = Place::new();
        let missing = audit(&place.url(), Depth::Quick, |_| {}).await.unwrap_err();
        assert!(matches!(missing, AuditError::Missing { .. }), "{missing}");
        fill(&place).await;
        let mut steps = Vec::new();
        let found = audit(&place.url(), Depth::Full, |step| steps.push(step))
            .await
            .unwrap();
        assert_eq!(found.findings, Vec::<String>::new());
        assert_eq!((found.requests, found.without_row), (1_440, 0));
        assert!(found.tiers.len() > 8, "tiers of several cubes: {:?}", found.tiers);
        assert!(found.tiers.iter().all(|tier| tier.counted == tier.expected));
        assert!(steps.contains(&AuditStep::File) && steps.contains(&AuditStep::Sums));

        let mut writer = place.writer().await;
        let mut dropped = Remainder::default();
        for n in 0..5 {
            assert!(dropped.add(&plain("dropped", UnixMillis(NOON.0 + 72 * HOUR_MS + n))));
        }
        writer.append_remainder(&dropped.close()).await.unwrap();
        let keep = Keep::default();
        let later = UnixMillis(NOON.0 + 8 * 24 * HOUR_MS);
        while writer.prune(&keep, later).await.unwrap().more {}
        writer.close().await.unwrap();
        let found = audit(&place.url(), Depth::Quick, |_| {}).await.unwrap();
        assert_eq!(found.findings, Vec::<String>::new(), "also after retention");
        assert!(found.requests < 1_440, "rows went: {found:?}");
        assert_eq!(found.without_row, 5, "dropped rows are no damage");
    });
}

#[test]
fn sums_that_do_not_add_up_and_damaged_pages_are_found() {
    block_on(async {
        let place = Place::new();
        fill(&place).await;
        let mut other = stranger(&place).await;
        sqlx::query(
            "UPDATE sheet SET requests = requests - 1 WHERE seconds = 600 AND cube = 3 AND at_s % 7200 = 0",
        )
        .execute(&mut other)
        .await
        .unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut other)
            .await
            .unwrap();
        sqlx::Connection::close(other).await.unwrap();
        let found = audit(&place.url(), Depth::Quick, |_| {}).await.unwrap();
        assert!(
            found
                .findings
                .iter()
                .any(|finding| finding.contains("10m by model")),
            "{:?}",
            found.findings
        );
        let mut file = fs::File::options().write(true).open(place.path()).unwrap();
        file.seek(SeekFrom::Start(5 * 16_384)).unwrap();
        file.write_all(&[0x5a; 16_384]).unwrap();
        let found = audit(&place.url(), Depth::Quick, |_| {}).await.unwrap();
        assert!(!found.findings.is_empty() && found.tiers.is_empty(), "{found:?}");
    });
}

#[test]
fn statistics_say_what_takes_the_room() {
    block_on(async {
        let place = Place::new();
        fill(&place).await;
        let measured = statistics(&place.url()).await.unwrap().unwrap();
        assert_eq!(measured.requests, 1_440);
        assert_eq!(measured.oldest, Some(NOON));
        assert_eq!(measured.file_bytes, fs::metadata(place.path()).unwrap().len());
        let sizes: u64 = measured.tables.iter().map(|table| table.bytes).sum();
        assert!(sizes + measured.free_bytes <= measured.file_bytes);
        assert!(measured.tables.iter().any(|table| table.name == "request"));
        assert!(measured.names.contains(&("model", 1)), "{:?}", measured.names);
        let minutes = measured
            .tiers
            .iter()
            .find(|tier| tier.cube == "model" && tier.seconds == 60);
        assert_eq!(minutes.map(|tier| tier.requests), Some(1_440));
        assert_eq!(statistics("postgres://h/d").await.unwrap(), None);
    });
}
