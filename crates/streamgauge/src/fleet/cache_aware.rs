//! The policy `cache_aware` of smg, the successor of SGLang's router, with the defaults of its command line.
//!
//! Read from `model_gateway/src/policies/cache_aware.rs` and `crates/kv_index/src/string_tree.rs` of
//! smg-project/smg (the versions of 2026). Its rules:
//! - imbalanced when `max - min > 64` and `max > 1.5 * min` over requests in flight: the least loaded worker;
//! - else the text is matched against a tree of all texts sent so far. More than 0.3 of it matched: the
//!   worker that used the deepest matched node last. Else: the least loaded worker;
//! - the text goes into the tree for the chosen worker, in every case.
//!
//! The tree is at the grain of 64 bytes here instead of one character; with prompts of kilobytes the ratio is
//! the same within a hundredth. Its size limit of 2^26 characters a worker is out of reach, so nothing is
//! ever forgotten.

use proxy::balance::BlockMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fleet::replica::Replica;
use crate::fleet::router::{Asked, Counts, Reported, Router};

/// `--cache-threshold`, `--balance-abs-threshold` and `--balance-rel-threshold` by default, the ratios in
/// tenths.
const CACHE_TENTHS: usize = 3;
const BALANCE_ABSOLUTE: u32 = 64;
const BALANCE_RELATIVE_TENTHS: u32 = 15;
/// Grain of the tree.
const NODE_BYTES: usize = 64;

/// The router.
#[derive(Debug)]
pub(crate) struct CacheAware {
    /// Who used each node last.
    tree: BlockMap<usize>,
    counts: Counts,
    /// Requests that each worker ever got: breaks ties.
    processed: Vec<u64>,
}

// === impl CacheAware ===

impl CacheAware {
    pub(crate) fn new(replicas: usize) -> Self {
        Self {
            tree: BlockMap::default(),
            counts: Counts::new(replicas),
            processed: vec![0; replicas],
        }
    }

    fn least_loaded(&self) -> usize {
        let loads = self.counts.of_replicas().iter().zip(&self.processed);
        let least = loads.enumerate().min_by_key(|(_, load)| *load);
        least.map_or(0, |(at, _)| at)
    }

    fn is_imbalanced(&self) -> bool {
        let loads = self.counts.of_replicas();
        let max = loads.iter().copied().max().unwrap_or(0);
        let min = loads.iter().copied().min().unwrap_or(0);
        max - min > BALANCE_ABSOLUTE && max * 10 > min * BALANCE_RELATIVE_TENTHS
    }
}

// === impl Router for CacheAware ===

impl Router for CacheAware {
    fn name(&self) -> String {
        "cache_aware (smg)".to_owned()
    }

    fn choose(&mut self, asked: &Asked<'_>, _: &[Replica]) -> usize {
        let nodes: Vec<u64> = asked
            .prompt
            .chunks_exact(NODE_BYTES)
            .scan(0, |chain, node| {
                *chain = xxh3_64_with_seed(node, *chain);
                Some(*chain)
            })
            .collect();
        let matched = nodes.iter().map_while(|node| self.tree.get(node));
        let (matched, last) = matched.fold((0, None), |(len, _), at| (len + NODE_BYTES, Some(*at)));
        let at = match last {
            _ if self.is_imbalanced() => self.least_loaded(),
            Some(at) if matched * 10 > asked.prompt.len() * CACHE_TENTHS => at,
            _ => self.least_loaded(),
        };
        for node in nodes {
            self.tree.insert(node, at);
        }
        self.counts.add(asked.request, at);
        if let Some(processed) = self.processed.get_mut(at) {
            *processed += 1;
        }
        at
    }

    fn finished(&mut self, request: usize, _: Reported) {
        self.counts.remove(request);
    }
}
