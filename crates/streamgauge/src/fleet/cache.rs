//! A replica's prefix cache: blocks of 16 tokens, the least recently used goes first, as in vLLM.

use std::collections::VecDeque;

use proxy::balance::BlockMap;

/// Tokens of a block: vLLM's default.
pub(crate) const BLOCK_TOKENS: u64 = 16;

/// The cache. Exact: unlike the router's index it knows every use.
#[derive(Debug)]
pub(crate) struct Cache {
    /// When each block was used last.
    used: BlockMap<u64>,
    /// All uses, oldest first; those that are not a block's last one are skipped.
    uses: VecDeque<(u64, u64)>,
    len_max: usize,
    clock: u64,
}

// === impl Cache ===

impl Cache {
    pub(crate) fn new(tokens: u64) -> Self {
        let len_max = usize::try_from(tokens / BLOCK_TOKENS).unwrap_or(usize::MAX);
        Self {
            used: BlockMap::default(),
            uses: VecDeque::new(),
            len_max,
            clock: 0,
        }
    }

    /// How many leading blocks of the chain are there.
    pub(crate) fn held(&self, chain: &[u64]) -> usize {
        chain
            .iter()
            .take_while(|block| self.used.contains_key(block))
            .count()
    }

    /// All blocks of the chain are used. The last ones go first when there is no room, because a block is of
    /// no use without those before it.
    pub(crate) fn touch(&mut self, chain: &[u64]) {
        for block in chain.iter().rev() {
            self.clock += 1;
            self.used.insert(*block, self.clock);
            self.uses.push_back((*block, self.clock));
        }
        while self.used.len() > self.len_max {
            let Some((block, at)) = self.uses.pop_front() else {
                return;
            };
            if self.used.get(&block) == Some(&at) {
                self.used.remove(&block);
            }
        }
        if self.uses.len() > self.len_max.saturating_mul(4) {
            let used = &self.used;
            self.uses.retain(|(block, at)| used.get(block) == Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_chain_goes_from_its_end() {
        let mut cache = Cache::new(6 * BLOCK_TOKENS);
        cache.touch(&[1, 2, 3]);
        cache.touch(&[4, 5, 6]);
        cache.touch(&[1, 2, 3]);
        cache.touch(&[7]);
        assert_eq!(cache.held(&[1, 2, 3]), 3, "used again");
        assert_eq!(cache.held(&[4, 5, 6]), 2, "its last block made room");
    }
}
