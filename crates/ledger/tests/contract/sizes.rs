//! The size of the file: what it may be, and what happens at its bound.

use std::time::Duration;

use ledger::{Keep, Query};
use record::UnixMillis;

use crate::retention::{filled, prune};
use crate::support::{NOON, Place, block_on, plain};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

#[test]
fn the_file_shrinks_when_rows_go() {
    block_on(async {
        let place = Place::new();
        // Closed once: the log goes into the file, whose size then says how much there is.
        filled(&place).await.close().await.unwrap();
        let mut writer = place.writer().await;
        let size = writer.health().file_bytes.unwrap();
        let keep = Keep {
            requests: 6 * HOUR,
            minutes: DAY,
            hours: 4 * DAY,
            ..Keep::default()
        };
        prune(&mut writer, &keep, NOON.plus(2 * DAY)).await;
        writer.close().await.unwrap();
        let shrunk = std::fs::metadata(place.path()).unwrap().len();
        assert!(
            shrunk * 2 < size,
            "the file shrinks from {size} to {shrunk} bytes"
        );
    });
}

#[test]
fn a_full_ledger_drops_its_oldest_rows_first() {
    block_on(async {
        let place = Place::new();
        filled(&place).await.close().await.unwrap();
        let mut writer = place.writer().await;
        let reader = place.reader();
        let now = NOON.plus(2 * DAY);
        let before = reader.summary(&Query::window(NOON, now)).await.unwrap();
        let size = writer.health().file_bytes.unwrap();
        let keep = Keep {
            max_bytes: Some(size / 2),
            ..Keep::default()
        };
        let mut rows = 0;
        for _ in 0..200 {
            rows += writer.prune(&keep, now).await.unwrap().rows;
        }
        assert!(rows >= 5_000, "{rows}");
        assert!(
            reader.request("r-0").await.unwrap().is_none(),
            "the oldest goes first"
        );
        assert!(
            reader.request("r-14399").await.unwrap().is_some(),
            "the newest stays"
        );
        assert_eq!(
            reader.summary(&Query::window(NOON, now)).await.unwrap(),
            before,
            "the sums stay"
        );
        writer.close().await.unwrap();
        assert!(std::fs::metadata(place.path()).unwrap().len() <= size / 2 + (1 << 20) + 16_384);
    });
}

#[test]
fn a_batch_that_was_refused_is_not_counted_twice() {
    block_on(async {
        let place = Place::new();
        let mut writer = place.writer().await;
        writer.limit_pages(16).await.unwrap();
        let batch: Vec<_> = (0..900)
            .map(|n| plain(&format!("r-{n}"), UnixMillis(NOON.0 + n)))
            .collect();
        assert!(
            writer.append(&batch, None).await.is_err(),
            "900 rows do not fit into 16 pages"
        );
        writer.limit_pages(100_000).await.unwrap();
        writer.append(&batch, None).await.unwrap();
        let sums = place
            .numbers("SELECT DISTINCT sum(requests) FROM sheet WHERE cube = 0 GROUP BY seconds")
            .await;
        assert_eq!(sums, [[900]], "cells count each request once");
        let window = Query::window(NOON, UnixMillis(NOON.0 + 3_600_000));
        assert_eq!(place.reader().summary(&window).await.unwrap().requests, 900);
    });
}
