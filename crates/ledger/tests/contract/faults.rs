//! What the ledger does when its file is locked, foreign, newer, corrupt, full or gone (faults A4 to A15).

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use ledger::{AppendError, OpenError, Query, Writer};
use record::UnixMillis;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{NOON, Place, block_on, plain};

fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

async fn count(place: &Place) -> u64 {
    place.reader().summary(&ever()).await.unwrap().requests
}

/// Another program at the same file.
pub(crate) async fn stranger(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(place.path())
        .create_if_missing(true);
    options.connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, text: &'static str) {
    sqlx::query(text).execute(connection).await.unwrap();
}

#[test]
fn before_there_is_a_file_answers_are_empty() {
    block_on(async {
        let place = Place::new();
        let reader = place.reader();
        assert!(!reader.ready().await, "nothing to read yet");
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, 0);
        assert_eq!(reader.request("x").await.unwrap(), None);
        let mut writer = place.writer().await;
        assert!(reader.ready().await, "the same reader notices the new file");
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        assert!(reader.request("x").await.unwrap().is_some());
    });
}

#[test]
fn a_closed_ledger_is_one_file_and_still_readable() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        assert!(writer.health().wal_bytes > 0, "the row is in the log");
        assert!(writer.health().file_bytes.is_some());
        writer.close().await.unwrap();
        assert_eq!(
            place.files(),
            ["gauge.db", "gauge.db.lock"],
            "the log is folded in and gone"
        );
        assert_eq!(count(&place).await, 1);
    });
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    block_on(async {
        let place = Place::new();
        let first = place.writer().await;
        let refusal = Writer::open(&place.url()).await.unwrap_err();
        assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal}");
        assert!(
            refusal.to_string().contains("gauge.db"),
            "names the file: {refusal}"
        );
        drop(first);
        place.writer().await;
    });
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_refused_and_untouched() {
    block_on(async {
        let place = Place::new();
        place.writer().await.close().await.unwrap();
        let mut other = stranger(&place).await;
        run(&mut other, "PRAGMA user_version = 999").await;
        other.close().await.unwrap();
        let refusal = Writer::open(&place.url()).await.unwrap_err();
        assert!(
            matches!(refusal, OpenError::Newer { found: 999, .. }),
            "{refusal}"
        );
        assert!(
            place.reader().summary(&ever()).await.is_err(),
            "nor is it read wrongly"
        );

        let place = Place::new();
        fs::create_dir_all(place.path().parent().unwrap()).unwrap();
        let mut other = stranger(&place).await;
        run(&mut other, "CREATE TABLE holiday_photos (id INTEGER PRIMARY KEY)").await;
        other.close().await.unwrap();
        let refusal = Writer::open(&place.url()).await.unwrap_err();
        assert!(matches!(refusal, OpenError::Foreign { .. }), "{refusal}");
        let mut other = stranger(&place).await;
        run(&mut other, "INSERT INTO holiday_photos VALUES (1)").await;
    });
}

#[test]
fn an_unwritable_place_is_one_clear_line() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "not a folder").unwrap();
        let url = format!("sqlite://{}/gauge.db", file.display());
        let refusal = Writer::open(&url).await.unwrap_err().to_string();
        assert!(refusal.contains("file") && !refusal.contains('\n'), "{refusal}");
    });
}

#[test]
fn a_locked_file_refuses_a_batch_and_takes_it_later() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let mut other = stranger(&place).await;
        run(&mut other, "BEGIN IMMEDIATE").await;
        let batch = [plain("kept", NOON)];
        let refusal = writer.append(&batch, None).await.unwrap_err();
        assert_eq!(refusal.code(), "busy", "{refusal:?}");
        run(&mut other, "COMMIT").await;
        writer.append(&batch, None).await.unwrap();
        assert_eq!(count(&place).await, 1, "stored once");
    });
}

#[test]
fn a_full_disk_refuses_a_batch_whole_and_takes_it_later() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.limit_pages(17).await.unwrap();
        let batch: Vec<_> = (0..900)
            .map(|n| {
                let mut record = plain(&format!("full-{n}"), NOON);
                record.identity.user = Some(format!("user-{n}").into());
                record
            })
            .collect();
        let refusal = writer.append(&batch, None).await.unwrap_err();
        assert_eq!(refusal.code(), "full", "{refusal:?}");
        assert_eq!(count(&place).await, 0, "nothing of the batch is there");
        writer.limit_pages(100_000).await.unwrap();
        writer.append(&batch, None).await.unwrap();
        assert_eq!(count(&place).await, 900);
        let users = place.reader().facets(&ever()).await.unwrap().user;
        assert_eq!(
            users.len(),
            500,
            "dictionary numbers of the lost transaction were not believed"
        );
    });
}

#[test]
fn a_corrupt_file_is_kept_aside_and_a_new_one_begun() {
    for (place_in_file, bytes) in [(0_u64, 64_usize), (3 * 4096, 4096)] {
        block_on(async {
            let place = Place::new();
            let mut writer = place.writer().await;
            let batch: Vec<_> = (0..300).map(|n| plain(&format!("old-{n}"), NOON)).collect();
            writer.append(&batch, None).await.unwrap();
            writer.close().await.unwrap();
            let mut file = fs::File::options().write(true).open(place.path()).unwrap();
            file.seek(SeekFrom::Start(place_in_file)).unwrap();
            file.write_all(&vec![0x5a; bytes]).unwrap();
            drop(file);
            let mut writer = place.writer().await;
            writer.append(&[plain("new", NOON)], None).await.unwrap();
            assert_eq!(count(&place).await, 1, "a fresh start");
            let kept = place
                .files()
                .into_iter()
                .filter(|name| name.starts_with("gauge.db.corrupt-"))
                .count();
            assert_eq!(kept, 1, "the old file is kept: {:?}", place.files());
        });
    }
}

#[test]
fn a_file_deleted_while_running_is_begun_anew() {
    block_on(async {
        let place = Place::new();
        let reader = place.reader();
        let mut writer = place.writer().await;
        writer.append(&[plain("old", NOON)], None).await.unwrap();
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, 1);
        fs::remove_file(place.path()).unwrap();
        writer.append(&[plain("new", NOON)], None).await.unwrap();
        assert!(
            reader.request("new").await.unwrap().is_some(),
            "readers follow to the new file"
        );
        assert!(reader.request("old").await.unwrap().is_none());
        fs::remove_dir_all(place.path().parent().unwrap()).unwrap();
        writer.append(&[plain("newer", NOON)], None).await.unwrap();
        assert!(
            reader.request("newer").await.unwrap().is_some(),
            "the folder is made again too"
        );
    });
}

#[test]
fn an_append_dropped_half_way_leaves_nothing_and_blocks_nothing() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let batch: Vec<_> = (0..2_000).map(|n| plain(&format!("r-{n}"), NOON)).collect();
        for polls in 1..12 {
            let append = writer.append(&batch, None);
            let mut append = std::pin::pin!(append);
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    _ = &mut append => break,
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        // What was given up is over when the next one is.
        writer.append(&[plain("last", NOON)], None).await.unwrap();
        let stored = count(&place).await;
        assert_eq!(stored % 2_000, 1, "whole batches only, and the last");
        let outcome: Result<(), AppendError> = writer.append(&batch, None).await;
        outcome.unwrap();
        assert_eq!(count(&place).await, stored + 2_000);
    });
}
