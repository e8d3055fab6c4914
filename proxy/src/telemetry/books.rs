//! The books of the metrics path: what became of every record, read as one.
//!
//! The figures move on many threads, and a scrape would read them one after another. So that
//! `finished == written + queued + dropped` holds in every single answer, the writer moves its figures under
//! a lock that readers take too, and what is queued is what is neither written nor dropped. The data path
//! takes no lock: a request that ends meanwhile is finished and queued, or neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

/// Why a record was given up.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Dropped {
    /// The writer could not look for so long that the channel was full.
    QueueFull,
    /// The ledger took nothing for so long that the memory for waiting records was full.
    Overflow,
    /// The process ended and the ledger did not take the last records.
    Shutdown,
}

/// What became of every record. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Books(Arc<Accounts>);

#[derive(Debug)]
struct Accounts {
    finished: IntCounter,
    written: IntCounter,
    dropped: [IntCounter; Dropped::ALL.len()],
    /// Held while a figure of the writer moves, and while all are read.
    still: Mutex<()>,
    /// What a scrape sees: set from the figures above, all at once.
    shown: Mutex<Shown>,
    descriptions: Vec<Desc>,
}

#[derive(Debug)]
struct Shown {
    finished: IntCounter,
    written: IntCounter,
    dropped: IntCounterVec,
    queued: IntGauge,
}

/// All figures at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Balance {
    pub(crate) finished: u64,
    pub(crate) written: u64,
    pub(crate) queued: u64,
    /// By reason; one that never happened is there with 0.
    pub(crate) dropped: BTreeMap<String, u64>,
}

// === impl Dropped ===

impl Dropped {
    const ALL: [Self; 3] = [Self::QueueFull, Self::Overflow, Self::Shutdown];

    /// The word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Overflow => "overflow",
            Self::Shutdown => "shutdown",
        }
    }
}

// === impl Books ===

impl Books {
    /// Empty books.
    ///
    /// # Errors
    /// A name is none that Prometheus takes.
    pub(super) fn new() -> prometheus::Result<Self> {
        let plain = |name: &str| IntCounter::new(name, "kept by the books");
        let shown = Shown::new()?;
        let descriptions = [
            shown.finished.desc(),
            shown.written.desc(),
            shown.dropped.desc(),
            shown.queued.desc(),
        ];
        Ok(Self(Arc::new(Accounts {
            finished: plain("finished")?,
            written: plain("written")?,
            dropped: [plain("queue_full")?, plain("overflow")?, plain("shutdown")?],
            still: Mutex::new(()),
            descriptions: descriptions.concat().into_iter().cloned().collect(),
            shown: Mutex::new(shown),
        })))
    }

    /// Counts every request that ends; for the data path.
    pub(crate) fn finished(&self) -> IntCounter {
        self.0.finished.clone()
    }

    /// Counts records that are dropped before the writer sees them; for the data path.
    pub(crate) fn queue_full(&self) -> IntCounter {
        let [queue_full, ..] = &self.0.dropped;
        queue_full.clone()
    }

    /// The writer committed records.
    pub(crate) fn write(&self, records: u64) {
        let _still = self.0.still.lock();
        self.0.written.inc_by(records);
    }

    /// The writer gave records up.
    pub(crate) fn give_up(&self, why: Dropped, records: u64) {
        let _still = self.0.still.lock();
        for (reason, count) in Dropped::ALL.iter().zip(&self.0.dropped) {
            if *reason == why {
                count.inc_by(records);
            }
        }
    }

    /// All figures at one moment.
    pub(crate) fn balance(&self) -> Balance {
        let accounts = &self.0;
        let _still = accounts.still.lock();
        let written = accounts.written.get();
        let dropped = Dropped::ALL.iter().zip(&accounts.dropped);
        let dropped: BTreeMap<String, u64> = dropped
            .map(|(reason, count)| (reason.word().to_owned(), count.get()))
            .collect();
        // Last: a record that the data path drops meanwhile is then one that is still queued.
        let finished = accounts.finished.get();
        let gone = dropped.values().sum::<u64>() + written;
        Balance {
            finished,
            written,
            queued: finished.saturating_sub(gone),
            dropped,
        }
    }
}

impl Collector for Books {
    fn desc(&self) -> Vec<&Desc> {
        self.0.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shown = self.0.shown.lock();
        shown.set(&self.balance());
        [
            shown.finished.collect(),
            shown.written.collect(),
            shown.dropped.collect(),
            shown.queued.collect(),
        ]
        .concat()
    }
}

// === impl Shown ===

impl Shown {
    fn new() -> prometheus::Result<Self> {
        Ok(Self {
            finished: IntCounter::new(
                "streamgauge_records_finished_total",
                "Requests that ended: equals written plus queued plus dropped.",
            )?,
            written: IntCounter::new(
                "streamgauge_records_written_total",
                "Records that are committed to the ledger.",
            )?,
            dropped: IntCounterVec::new(
                Opts::new(
                    "streamgauge_records_dropped_total",
                    "Records that were given up, by reason.",
                ),
                &["reason"],
            )?,
            queued: IntGauge::new(
                "streamgauge_record_queue_length",
                "Requests that ended and are not yet in the ledger.",
            )?,
        })
    }

    fn set(&self, balance: &Balance) {
        set(&self.finished, balance.finished);
        set(&self.written, balance.written);
        for (reason, count) in &balance.dropped {
            set(&self.dropped.with_label_values(&[reason]), *count);
        }
        self.queued.set(i64::try_from(balance.queued).unwrap_or(i64::MAX));
    }
}

fn set(counter: &IntCounter, value: u64) {
    counter.reset();
    counter.inc_by(value);
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn every_scrape_balances_while_records_end() {
        let books = Books::new().unwrap();
        let registry = Registry::new();
        registry.register(Box::new(books.clone())).unwrap();
        let (finished, full) = (books.finished(), books.queue_full());
        std::thread::scope(|threads| {
            threads.spawn(move || {
                for nth in 0..50_000 {
                    finished.inc();
                    if nth % 7 == 0 {
                        full.inc();
                    }
                }
            });
            threads.spawn(|| {
                for _ in 0..5_000 {
                    if books.balance().queued >= 3 {
                        books.write(2);
                        books.give_up(Dropped::Overflow, 1);
                    }
                }
            });
            for _ in 0..200 {
                let [mut counted, mut finished] = [0.0, 0.0];
                for family in registry.gather() {
                    for metric in family.get_metric() {
                        let value = metric.get_counter().value() + metric.get_gauge().value();
                        match family.name() {
                            "streamgauge_records_finished_total" => finished = value,
                            _ => counted += value,
                        }
                    }
                }
                let difference: f64 = finished - counted;
                assert!(
                    difference.abs() < 0.5,
                    "{finished} finished, {counted} accounted for"
                );
            }
        });
        let balance = books.balance();
        assert_eq!(balance.finished, 50_000);
        assert_eq!(
            balance.dropped.keys().collect::<Vec<_>>(),
            ["overflow", "queue_full", "shutdown"],
            "every reason is there from the start, so that an alert can see it rise"
        );
    }
}
