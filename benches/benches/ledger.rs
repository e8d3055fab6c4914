//! The writer of the ledger: batches of records into rows and rollup cells, of a SQLite file and of a
//! PostgreSQL server on this machine.
//!
//! `cargo bench -p benches --bench ledger`
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should say where")]

#[path = "ledger/server.rs"]
mod server;

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledger::Writer;
use record::{MetricRecord, UnixMillis};
use simulator::{Past, PastSettings};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A moment in November 2026.
const START: UnixMillis = UnixMillis(1_795_392_000_000);

/// Records of 20 models with 4 replicas each and of 5,000 users, which begin `each` after one another.
struct Traffic {
    past: Past,
    each: Duration,
    made: u32,
}

// === impl Traffic ===

impl Traffic {
    fn new(each: Duration) -> Self {
        Self {
            past: Past::new(PastSettings {
                requests: 50_000_000,
                days: 1,
                until: START,
                models: 20,
                replicas: 4,
                users: 5_000,
                seed: 1,
            }),
            each,
            made: 0,
        }
    }

    fn batch(&mut self, len: usize) -> Vec<MetricRecord> {
        (0..len)
            .map(|_| {
                let mut record = self.past.next_request().unwrap().clone();
                record.started_at = START.plus(self.each * self.made);
                self.made += 1;
                record
            })
            .collect()
    }
}

/// Full batches at 100,000 requests a second, and what the writer finds at 2,000 when it looks.
const LOADS: [(usize, Duration); 2] = [
    (4_096, Duration::from_micros(10)),
    (800, Duration::from_micros(500)),
];

fn sqlite(criterion: &mut Criterion) {
    for load in LOADS {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/bench.db", folder.path().display());
        append(criterion, "append", &url, load);
    }
}

fn postgres(criterion: &mut Criterion) {
    for load in LOADS {
        let Some(server) = server::Server::start() else {
            return;
        };
        append(criterion, "append to PostgreSQL", &server.url(), load);
        append(
            criterion,
            "append to PostgreSQL over TCP",
            &server.url_tcp(),
            load,
        );
    }
}

fn append(criterion: &mut Criterion, group: &str, url: &str, (len, each): (usize, Duration)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group(group);
    group.sample_size(20).measurement_time(Duration::from_secs(8));
    let mut writer = runtime.block_on(Writer::open(url)).unwrap();
    let mut traffic = Traffic::new(each);
    group.throughput(Throughput::Elements(u64::try_from(len).unwrap()));
    group.bench_function(format!("{len} records"), |bencher| {
        bencher.iter_batched(
            || traffic.batch(len),
            |batch| runtime.block_on(writer.append(&batch, None)).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    runtime.block_on(writer.close()).unwrap();
}

criterion_group!(benches, sqlite, postgres);
criterion_main!(benches);
