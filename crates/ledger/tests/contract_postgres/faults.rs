//! What the ledger does when its server refuses, cuts it off, or is not there.

use ledger::{OpenError, Query, Reader, Remainder, Writer};
use record::UnixMillis;
use sqlx::Executor as _;

use crate::support::{NOON, Place, block_on, plain};

fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

async fn count(place: &Place) -> u64 {
    place.reader().summary(&ever()).await.unwrap().requests
}

/// Ends every other session in the database, as a restart of the server does.
async fn cut_off(place: &Place) {
    place
        .stranger()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
}

#[test]
fn before_there_are_tables_answers_are_empty() {
    block_on(async {
        let place = Place::new();
        let reader = place.reader();
        assert!(!reader.ready().await, "nothing to read yet");
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, 0);
        let mut writer = place.writer().await;
        assert!(reader.ready().await, "the same reader notices the tables");
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        assert!(reader.request("x").await.unwrap().is_some());
    });
}

#[test]
fn a_newer_schema_and_a_foreign_one_are_refused_and_untouched() {
    block_on(async {
        let place = Place::new();
        place.writer().await.close().await.unwrap();
        let mut stranger = place.stranger().await;
        stranger
            .execute("UPDATE meta SET value = 999 WHERE key = 'schema'")
            .await
            .unwrap();
        let refusal = Writer::open(&place.url()).await.unwrap_err();
        assert!(
            matches!(refusal, OpenError::NewerSchema { found: 999, .. }),
            "{refusal}"
        );
        assert!(
            place.reader().summary(&ever()).await.is_err(),
            "nor is it read wrongly"
        );

        let place = Place::new();
        let mut stranger = place.stranger().await;
        stranger
            .execute(sqlx::raw_sql(
                "CREATE SCHEMA streamgauge; CREATE TABLE streamgauge.holiday_photos (id INTEGER)",
            ))
            .await
            .unwrap();
        let refusal = Writer::open(&place.url()).await.unwrap_err();
        assert!(matches!(refusal, OpenError::ForeignSchema { .. }), "{refusal}");
        stranger
            .execute("INSERT INTO holiday_photos VALUES (1)")
            .await
            .unwrap();
    });
}

#[test]
fn a_server_that_is_not_there_may_come_and_a_wrong_database_may_not() {
    block_on(async {
        let place = Place::new();
        let nowhere = "postgres://me:secret@localhost/gauge?host=/nonexistent";
        let refusal = Writer::open(nowhere).await.unwrap_err();
        assert!(refusal.is_passing(), "{refusal:?}");
        assert!(!format!("{refusal:?}").contains("secret"), "{refusal:?}");
        assert!(Reader::open(nowhere).unwrap().summary(&ever()).await.is_err());
        let missing = place.url().replace("/test", "/no_such_");
        let refusal = Writer::open(&missing).await.unwrap_err();
        assert!(
            !refusal.is_passing(),
            "waiting does not make a database: {refusal:?}"
        );
    });
}

#[test]
fn a_batch_is_stored_once_though_every_session_is_cut_off_between_batches() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let reader = place.reader();
        for n in 0..5 {
            let batch = [plain(&format!("r-{n}"), NOON)];
            writer.append(&batch, None).await.unwrap();
            cut_off(&place).await;
            let refusal = writer.append(&batch, None).await.unwrap_err();
            assert!(["io", "open"].contains(&refusal.code()), "{refusal:?}");
            let more = [plain(&format!("r-{n}-more"), NOON)];
            writer.append(&more, None).await.unwrap();
            // A reader's connection was cut off too: at most one question fails.
            let _ = reader.summary(&ever()).await;
            assert_eq!(reader.summary(&ever()).await.unwrap().requests, 2 * (n + 1));
        }
    });
}

#[test]
fn a_batch_whose_commit_came_through_unconfirmed_is_not_stored_again() {
    block_on(async {
        let place = Place::new();
        let relay = place.relay();
        let mut writer = Writer::open(&place.url_through(&relay)).await.unwrap();
        writer.append(&[plain("before", NOON)], None).await.unwrap();
        let mut batch: Vec<_> = (0..50).map(|n| plain(&format!("r-{n}"), NOON)).collect();
        relay.cut_next_commit();
        let refusal = writer.append(&batch, None).await.unwrap_err();
        assert_eq!(refusal.code(), "io", "{refusal:?}");
        assert_eq!(count(&place).await, 51, "the server has done it");
        // More have come meanwhile, and the answer is lost again.
        batch.extend((50..80).map(|n| plain(&format!("r-{n}"), NOON)));
        writer.append(&[], None).await.unwrap();
        relay.cut_next_commit();
        writer.append(&batch, None).await.unwrap_err();
        // The oldest were given up by the caller.
        batch.drain(..10);
        writer.append(&batch, None).await.unwrap();
        writer.append(&batch, None).await.unwrap();
        assert_eq!(
            count(&place).await,
            81 + 70,
            "counted once, and then again on purpose"
        );
    });
}

#[test]
fn sums_whose_commit_came_through_unconfirmed_are_counted_once_and_so_are_those_that_come_meanwhile() {
    block_on(async {
        let place = Place::new();
        let relay = place.relay();
        let mut writer = Writer::open(&place.url_through(&relay)).await.unwrap();
        writer.append(&[plain("row", NOON)], None).await.unwrap();
        let dropped = |names: std::ops::Range<u32>| {
            let mut remainder = Remainder::default();
            for n in names {
                assert!(remainder.add(&plain(&format!("dropped-{n}"), NOON)));
            }
            remainder.close()
        };
        let (first, meanwhile) = (dropped(0..5), dropped(5..12));
        relay.cut_next_commit();
        let refusal = writer.append_remainder(&first).await.unwrap_err();
        assert_eq!(refusal.code(), "io", "{refusal:?}");
        assert_eq!(count(&place).await, 1 + 5, "the server has done it");
        // A batch may come in between, and its answer be lost as well.
        let batch = [plain("another row", NOON)];
        relay.cut_next_commit();
        writer.append(&batch, None).await.unwrap_err();
        writer.append_remainder(&first).await.unwrap();
        writer.append(&batch, None).await.unwrap();
        relay.cut_next_commit();
        writer.append_remainder(&meanwhile).await.unwrap_err();
        writer.append_remainder(&meanwhile).await.unwrap();
        assert_eq!(count(&place).await, 2 + 5 + 7, "each counted once");
        assert_eq!(place.numbers("SELECT count(*) FROM request").await, [[2]]);
    });
}

#[test]
fn a_batch_whose_commit_was_never_begun_is_stored_by_the_next_attempt() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let mut stranger = place.stranger().await;
        // The transaction fails at its end, when the server checks what was put off until then.
        stranger
            .execute(sqlx::raw_sql(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'disk_full'; END $$; \
                 CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON instance DEFERRABLE INITIALLY DEFERRED \
                     FOR EACH ROW EXECUTE FUNCTION refuse();",
            ))
            .await
            .unwrap();
        let batch = [plain("x", NOON)];
        let refusal = writer.append(&batch, None).await.unwrap_err();
        assert_eq!(refusal.code(), "full", "{refusal:?}");
        assert_eq!(count(&place).await, 0);
        stranger.execute("DROP TRIGGER refuse ON instance").await.unwrap();
        writer.append(&batch, None).await.unwrap();
        assert_eq!(count(&place).await, 1);
    });
}

#[test]
fn a_refused_batch_leaves_nothing_and_is_taken_later() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("before", NOON)], None).await.unwrap();
        let mut stranger = place.stranger().await;
        stranger
            .execute("ALTER TABLE sheet ADD CONSTRAINT full_disk CHECK (requests < 100)")
            .await
            .unwrap();
        let batch: Vec<_> = (0..200).map(|n| plain(&format!("r-{n}"), NOON)).collect();
        let refusal = writer.append(&batch, None).await.unwrap_err();
        assert_eq!(refusal.code(), "other", "{refusal:?}");
        assert_eq!(count(&place).await, 1, "nothing of the batch is there");
        assert_eq!(place.numbers("SELECT count(*) FROM request").await, [[1]]);
        stranger
            .execute("ALTER TABLE sheet DROP CONSTRAINT full_disk")
            .await
            .unwrap();
        writer.append(&batch, None).await.unwrap();
        assert_eq!(count(&place).await, 201, "stored once");
    });
}

#[test]
fn an_append_dropped_half_way_leaves_whole_batches_and_blocks_nothing() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let batch: Vec<_> = (0..1_000).map(|n| plain(&format!("r-{n}"), NOON)).collect();
        for polls in [1, 2, 3, 5, 8, 13, 21, 34, 55] {
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
        // The next one waits until the server has ended the session before.
        writer.append(&[], None).await.unwrap();
        let stored = count(&place).await;
        assert_eq!(stored % 1_000, 0, "whole batches only");
        writer.append(&batch, None).await.unwrap();
        assert_eq!(count(&place).await, stored + 1_000);
    });
}

#[test]
fn text_that_postgres_cannot_hold_does_not_stop_a_batch() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let mut record = plain("nul", NOON);
        record.model_requested = Some("lla\0ma".into());
        record.identity.session = Some("a\0b".into());
        writer.append(&[record.clone(), record], None).await.unwrap();
        let found = place.reader().request("nul").await.unwrap().unwrap();
        assert_eq!(found.model_requested.as_deref(), Some("lla\u{fffd}ma"));
    });
}
