//! What `prefix` costs: the time of single decisions over 100 replicas, and the memory of its index.
//!
//! `cargo bench -p benches --bench routing`, and `-- memory` or `-- decisions` for one of the two.
//!
//! Not Criterion: it gives means, and the goals are of the slowest decision in a hundred.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::print_stdout, reason = "its tables are its purpose")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxy::balance::{Balancer, BalancerSettings, Candidate, ChainHasher, Prompt, Random, Request, Seat};
use record::Policy;

const REPLICAS: u64 = 100;
/// Blocks of other prompts in the index.
const BACKGROUND: u32 = 500_000;
/// Blocks of each of those prompts.
const BACKGROUND_BLOCKS: u32 = 20;
/// Different prompts of each length, so that a decision does not find the last one's lines in the cache.
const PROMPTS: usize = 48;
/// Decisions that are timed for each line of the table.
const DECISIONS: usize = 10_000;
const KIB: usize = 1024;
const MODEL: u64 = 7;

/// A pool of idle replicas.
struct Fleet {
    balancer: Arc<Balancer>,
    seats: Vec<Seat>,
    candidates: Vec<Candidate>,
}

/// When the measured prompts came: after all others, or so long ago that only the older generation of the
/// index has them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Age {
    Fresh,
    Old,
}

/// The times of many decisions, sorted.
struct Times(Vec<Duration>);

// === impl Fleet ===

impl Fleet {
    fn new() -> Self {
        let balancer = Arc::new(Balancer::new(BalancerSettings::new(Policy::Prefix, 1)));
        let seats: Vec<_> = (0..REPLICAS).map(|_| balancer.seat()).collect();
        let candidates = (1..)
            .zip(&seats)
            .map(|(home, seat)| Candidate::idle(seat.slot(), home))
            .collect();
        Self {
            balancer,
            seats,
            candidates,
        }
    }

    /// One request, from the choice to its end.
    fn serve(&self, request: &Request) {
        let choice = self.balancer.choose(request, &self.candidates).unwrap();
        let seat = self.seats.get(choice.at).unwrap();
        drop(self.balancer.dispatch(request, &choice, seat.slot(), seat.load()));
    }

    /// Fills the index with prompts of others.
    fn fill(&self, random: &mut Random) {
        for _ in 0..BACKGROUND / BACKGROUND_BLOCKS {
            self.serve(&Request {
                model: MODEL,
                session: None,
                prompt: Prompt {
                    bytes: u64::from(BACKGROUND_BLOCKS) * 1024,
                    blocks: (0..BACKGROUND_BLOCKS).map(|_| random.next_bits()).collect(),
                },
            });
        }
    }
}

// === impl Times ===

impl Times {
    fn of(mut decide: impl FnMut(usize)) -> Self {
        let mut times: Vec<_> = (0..DECISIONS)
            .map(|nth| {
                let start = now();
                decide(nth);
                now().duration_since(start)
            })
            .collect();
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many decisions in a thousand do not exceed, in microseconds.
    fn permille(&self, permille: usize) -> f64 {
        let at = self.0.len() * permille / 1000;
        self.0.get(at).unwrap().as_secs_f64() * 1e6
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    Instant::now()
}

fn request(prompt: Prompt) -> Request {
    Request {
        model: MODEL,
        session: None,
        prompt,
    }
}

fn body(len: usize, random: &mut Random) -> Vec<u8> {
    let mut body = Vec::with_capacity(len + 8);
    while body.len() < len {
        body.extend_from_slice(&random.next_bits().to_le_bytes());
    }
    body.truncate(len);
    body
}

/// Memory of this process, in MiB; `None` where the system does not say.
fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024)
}

/// Ten million prompts that have nothing in common.
fn memory() {
    let fleet = Fleet::new();
    let mut text = vec![b'x'; 4 * KIB];
    println!("| distinct prompts of 4 KiB | memory of the process, MiB |\n|--:|--:|");
    for nth in 0..=10_000_000_u64 {
        if matches!(nth, 0 | 1_000_000 | 2_000_000 | 5_000_000 | 10_000_000) {
            let mib = resident_mib().map_or_else(|| "unknown".to_owned(), |mib| mib.to_string());
            println!("| {nth} | {mib} |");
        }
        text.splice(..8, nth.to_le_bytes());
        fleet.serve(&request(ChainHasher::whole(MODEL, &[], &text)));
    }
}

/// Single decisions, each for a prompt of which one replica holds all blocks.
fn decisions(len: usize, age: Age) {
    let mut random = Random::new(3);
    let fleet = Fleet::new();
    let bodies: Vec<_> = (0..PROMPTS).map(|_| body(len, &mut random)).collect();
    let requests: Vec<_> = bodies
        .iter()
        .map(|body| request(ChainHasher::whole(MODEL, &[], body)))
        .collect();
    if age == Age::Fresh {
        fleet.fill(&mut random);
    }
    for request in &requests {
        fleet.serve(request);
    }
    if age == Age::Old {
        fleet.fill(&mut random);
    }
    for request in &requests {
        let choice = fleet.balancer.choose(request, &fleet.candidates).unwrap();
        let blocks = u32::try_from(len / KIB).unwrap();
        assert_eq!(choice.routing.matched_blocks, Some(blocks), "a full hit");
    }
    let chosen = Times::of(|nth| {
        let request = requests.get(nth % PROMPTS).unwrap();
        black_box(fleet.balancer.choose(black_box(request), &fleet.candidates));
    });
    let hashed = Times::of(|nth| {
        let body = bodies.get(nth % PROMPTS).unwrap();
        let request = request(ChainHasher::whole(MODEL, &[], black_box(body)));
        black_box(fleet.balancer.choose(&request, &fleet.candidates));
    });
    println!(
        "| {} KiB, {age:?} | {:.1} | {:.1} | {:.1} | {:.1} |",
        len / KIB,
        chosen.permille(500),
        chosen.permille(990),
        hashed.permille(500),
        hashed.permille(990),
    );
}

fn main() {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|part| !part.starts_with('-'))
        .collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    if wants("memory") {
        memory();
    }
    if wants("decisions") {
        println!("| prompt | choice p50, us | p99 | with hashing p50, us | p99 |\n|---|--:|--:|--:|--:|");
        for kib in [2, 16, 128, 512] {
            for age in [Age::Fresh, Age::Old] {
                decisions(kib * KIB, age);
            }
        }
    }
}
