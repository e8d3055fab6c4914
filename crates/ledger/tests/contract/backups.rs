//! A copy of a ledger in use is whole, private, checked, and never takes the place of something by accident.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ledger::{BackupError, BackupFolder, BackupStep, Query, Reader, Writer, backup, examine, restore};
use record::UnixMillis;

use crate::support::{NOON, Place, block_on, plain};

fn ever() -> Query {
    Query::window(UnixMillis(0), UnixMillis(i64::MAX))
}

#[test]
fn a_backup_under_writes_is_one_moment_and_can_be_read_and_written() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        let batch = |name: &str| -> Vec<_> {
            (0..500)
                .map(|n| plain(&format!("{name}-{n}"), UnixMillis(NOON.0 + n)))
                .collect()
        };
        writer.append(&batch("before"), None).await.unwrap();
        let target = place.path().with_file_name("copies/first.db");
        let url = place.url();
        let mut steps = Vec::new();
        let copying = backup(&url, &target, false, |step| steps.push(step));
        let (made, appended) = tokio::join!(copying, async {
            for n in 0..5 {
                writer.append(&batch(&format!("during-{n}")), None).await?;
            }
            Ok::<_, ledger::AppendError>(())
        });
        appended.unwrap();
        let made = made.unwrap();
        assert_eq!(steps.last(), Some(&BackupStep::Checking));
        assert!(
            made.requests >= 500 && made.requests % 500 == 0,
            "whole batches: {made:?}"
        );
        assert_eq!(made.bytes, fs::metadata(&target).unwrap().len());
        let mode = fs::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "for its owner only");
        assert_eq!(examine(&target).await.unwrap(), made.requests);
        let names: Vec<_> = fs::read_dir(target.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["first.db"], "nothing is left beside it");

        let url = format!("sqlite://{}", target.display());
        let reader = Reader::open(&url).unwrap();
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, made.requests);
        let mut restored = Writer::open(&url).await.unwrap();
        restored.append(&batch("after"), None).await.unwrap();
        assert_eq!(
            reader.summary(&ever()).await.unwrap().requests,
            made.requests + 500,
            "a backup is a ledger"
        );
    });
}

#[test]
fn what_is_there_is_overwritten_on_demand_only() {
    block_on(async {
        let place = Place::new();
        let target = place.path().with_file_name("copy.db");
        let url = place.url();
        let refused = backup(&url, &target, false, |_| {}).await.unwrap_err();
        assert!(matches!(refused, BackupError::Missing { .. }), "{refused}");
        let mut writer = place.writer().await;
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        fs::write(&target, "something else").unwrap();
        let refused = backup(&url, &target, false, |_| {}).await.unwrap_err();
        assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
        assert!(refused.to_string().contains("--force"), "{refused}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "something else");
        let refused = examine(&target).await.unwrap_err();
        assert!(matches!(refused, BackupError::Unsound { .. }), "{refused}");
        assert_eq!(backup(&url, &target, true, |_| {}).await.unwrap().requests, 1);
        let refused = backup(&url, &place.path(), true, |_| {}).await.unwrap_err();
        assert!(
            matches!(refused, BackupError::Itself { .. }),
            "not even on demand: {refused}"
        );
        let refused = backup("postgres://h/d", &target, true, |_| {}).await.unwrap_err();
        assert!(refused.to_string().contains("pg_dump"), "{refused}");
    });
}

#[test]
fn a_backup_that_was_killed_is_taken_over() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        let target = place.path().with_file_name("copy.db");
        let partial = place.path().with_file_name("copy.db.partial");
        fs::write(&partial, "half a copy").unwrap();
        let other = fs::File::open(&partial).unwrap();
        other.try_lock().unwrap();
        let refused = backup(&place.url(), &target, false, |_| {}).await.unwrap_err();
        assert!(matches!(refused, BackupError::Busy { .. }), "{refused}");
        assert_eq!(fs::read_to_string(&partial).unwrap(), "half a copy", "left alone");
        drop(other);
        backup(&place.url(), &target, false, |_| {}).await.unwrap();
        assert!(!partial.exists());
    });
}

#[test]
fn a_folder_keeps_the_newest_that_open() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("x", NOON)], None).await.unwrap();
        let path = place.path().with_file_name("backups");
        let folder = BackupFolder::new(path.clone(), 2);
        let at = |hour: i64| UnixMillis(NOON.0 + hour * 3_600_000);
        for hour in 0..4 {
            let file = folder.file(at(hour));
            backup(&place.url(), &file, false, |_| {}).await.unwrap();
        }
        fs::write(folder.file(at(4)), "torn").unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        fs::write(path.join("streamgauge-20200101T000000Z.db.partial"), "killed").unwrap();
        assert_eq!(folder.newest(), Some(at(4)));
        let thinned = folder.thin().await.unwrap();
        assert_eq!(thinned.removed, 2, "the two oldest");
        assert_eq!(
            thinned.unsound,
            [folder.file(at(4))],
            "a torn file is no backup, and evidence"
        );
        let mut names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let kept = [
            path.join("notes.txt"),
            folder.file(at(2)),
            folder.file(at(3)),
            folder.file(at(4)),
        ];
        assert_eq!(names, kept);
    });
}

#[test]
fn a_backup_takes_the_place_of_a_ledger_that_nobody_writes_to() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.append(&[plain("old", NOON)], None).await.unwrap();
        let target = place.path().with_file_name("copy.db");
        backup(&place.url(), &target, false, |_| {}).await.unwrap();
        writer.append(&[plain("new", NOON)], None).await.unwrap();
        let refused = restore(&place.url(), &target).await.unwrap_err();
        assert!(refused.to_string().contains("another proxy"), "{refused}");
        // Killed: its log is still there, and belongs to the file that goes.
        drop(writer);
        let broken = place.path().with_file_name("broken.db");
        fs::write(&broken, vec![7; 8_192]).unwrap();
        let refused = restore(&place.url(), &broken).await.unwrap_err();
        assert!(matches!(refused, BackupError::Unsound { .. }), "{refused}");
        assert_eq!(
            place.reader().summary(&ever()).await.unwrap().requests,
            2,
            "untouched"
        );

        let restored = restore(&place.url(), &target).await.unwrap();
        assert_eq!(restored.requests, 1);
        let reader = place.reader();
        assert!(reader.request("old").await.unwrap().is_some());
        assert!(
            reader.request("new").await.unwrap().is_none(),
            "no log of the old one"
        );
        let kept = Reader::open(&format!("sqlite://{}", restored.kept.unwrap().display())).unwrap();
        assert_eq!(
            kept.summary(&ever()).await.unwrap().requests,
            2,
            "whole, with its log"
        );
        let mut writer = place.writer().await;
        writer.append(&[plain("newer", NOON)], None).await.unwrap();
        assert_eq!(reader.summary(&ever()).await.unwrap().requests, 2);
    });
}
