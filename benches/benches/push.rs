//! What the data path pays for a record: one push into the channel to the writer.
//!
//! `cargo bench -p benches --bench push`; that a push makes no system call shows
//! `strace -f -c target/release/deps/push-* --bench --profile-time 5`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should say where")]

use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use prometheus::IntCounter;
use proxy::Sink;
use record::{MetricRecord, UnixMillis};
use simulator::{Past, PastSettings};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records between two looks of the writer, below the number at which it is woken.
const LEN: usize = 1_000;

fn push(criterion: &mut Criterion) {
    let mut past = Past::new(PastSettings {
        requests: 50_000_000,
        days: 1,
        until: UnixMillis(1_795_392_000_000),
        models: 20,
        replicas: 4,
        users: 5_000,
        seed: 1,
    });
    let records: Vec<MetricRecord> = (0..LEN).map(|_| past.next_request().unwrap().clone()).collect();
    let finished = IntCounter::new("finished", "pushed").unwrap();
    let dropped = IntCounter::new("dropped", "refused").unwrap();
    let (sink, queue) = Sink::new(finished.clone(), dropped.clone());
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let ended_at = Instant::now();
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(u64::try_from(LEN).unwrap()));
    group.bench_function(format!("{LEN} records"), |bencher| {
        bencher.iter_batched(
            || {
                queue.try_iter().for_each(drop);
                records.clone()
            },
            |records| {
                for record in records {
                    sink.push(record, ended_at);
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    assert_eq!(dropped.get(), 0, "every one of {} had room", finished.get());
}

criterion_group!(benches, push);
criterion_main!(benches);
