//! The default scorers of the Gateway API inference extension (GAIE; llm-d's scheduler is built on them).
//!
//! Read from `pkg/epp/framework/plugins/scheduling` and `pkg/epp/config/loader/defaults.go` of
//! kubernetes-sigs/gateway-api-inference-extension (2026). Its rules:
//! - prefix: matched blocks / all blocks, of 64 tokens at 4 characters each, 256 blocks at most; each pod's
//!   blocks in an LRU of 31,250;
//! - queue: `(max - waiting) / (max - min)` over the pods, 1 when all are alike;
//! - kv cache: `1 - used`;
//! - weights 3, 2, 2; the highest sum wins, ties at random. Figures of pods are scraped every 50 ms.

use proxy::balance::{BlockMap, Random, Scraped};
use record::units::count_f64;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fleet::cache::{BLOCK_TOKENS, Cache};
use crate::fleet::replica::Replica;
use crate::fleet::router::Micros;
use crate::fleet::router::{Asked, Reported, Router};

const BLOCK_BYTES: usize = 64 * 4;
const BLOCKS_MAX: usize = 256;
const LRU_BLOCKS: u64 = 31_250;
const WEIGHTS: (f64, f64, f64) = (3.0, 2.0, 2.0);
const SCRAPE: Micros = 50_000;

/// The router.
#[derive(Debug)]
pub(crate) struct Scorers {
    pods: Vec<Cache>,
    /// Whether any pod ever had a block: saves the look at every pod's.
    known: BlockMap<()>,
    figures: Vec<Scraped>,
    random: Random,
}

// === impl Scorers ===

impl Scorers {
    pub(crate) fn new(replicas: usize, seed: u64) -> Self {
        Self {
            pods: (0..replicas)
                .map(|_| Cache::new(LRU_BLOCKS * BLOCK_TOKENS))
                .collect(),
            known: BlockMap::default(),
            figures: vec![Scraped::default(); replicas],
            random: Random::new(seed),
        }
    }
}

// === impl Router for Scorers ===

impl Router for Scorers {
    fn name(&self) -> String {
        "scorers 3:2:2 (GAIE)".to_owned()
    }

    fn choose(&mut self, asked: &Asked<'_>, _: &[Replica]) -> usize {
        let blocks: Vec<u64> = asked
            .prompt
            .chunks_exact(BLOCK_BYTES)
            .take(BLOCKS_MAX)
            .scan(0, |chain, block| {
                *chain = xxh3_64_with_seed(block, *chain);
                Some(*chain)
            })
            .collect();
        let known = blocks
            .iter()
            .take_while(|block| self.known.contains_key(block))
            .count();
        let known = blocks.get(..known).unwrap_or_default();
        let waiting = |figures: &Scraped| figures.waiting;
        let max = self.figures.iter().map(waiting).max().unwrap_or(0);
        let min = self.figures.iter().map(waiting).min().unwrap_or(0);
        let mut best = (0, f64::MIN, 0);
        for (at, (pod, figures)) in self.pods.iter().zip(&self.figures).enumerate() {
            let prefix = share(pod.held(known), blocks.len());
            let queue = if max == min {
                1.0
            } else {
                f64::from(max - figures.waiting) / f64::from(max - min)
            };
            let kv = 1.0 - f64::from(figures.kv_used_permille.unwrap_or(0)) / 1_000.0;
            let score = WEIGHTS.0 * prefix + WEIGHTS.1 * queue + WEIGHTS.2 * kv;
            let draw = self.random.next_bits();
            if score > best.1 || (score >= best.1 && draw > best.2) {
                best = (at, score, draw);
            }
        }
        if let Some(pod) = self.pods.get_mut(best.0) {
            pod.touch(&blocks);
        }
        self.known.extend(blocks.iter().map(|block| (*block, ())));
        best.0
    }

    fn finished(&mut self, _: usize, _: Reported) {}

    fn scraped(&mut self, figures: &[Scraped]) {
        self.figures.copy_from_slice(figures);
    }

    fn scrape_interval(&self) -> Micros {
        SCRAPE
    }
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| count_f64(u64::try_from(count).unwrap_or(u64::MAX));
    if whole == 0 {
        return 0.0;
    }
    number(part) / number(whole)
}
