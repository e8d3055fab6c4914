//! The prefix cache: which prompt prefixes a replica has seen, as vLLM's automatic prefix caching would know
//! them.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Blocks of prompt tokens seen, each named by a hash of itself and of everything before it.
///
/// Two generations approximate least recently used: a hit moves a block to the young one, and a full young
/// generation becomes the old one, whose predecessor is forgotten.
#[derive(Debug)]
pub(crate) struct PrefixCache {
    young: HashSet<u64>,
    old: HashSet<u64>,
    generation_len_max: usize,
}

/// How many tokens a prompt has, and how many of them were in the cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct PromptTokens {
    pub(crate) total: u64,
    pub(crate) cached: u64,
}

/// Tokens in a block: vLLM's default.
const BLOCK_TOKENS: u64 = 16;
/// Bytes of a prompt's JSON that count as one token: close to the usual four characters.
pub(crate) const TOKEN_BYTES: usize = 4;

// === impl PrefixCache ===

impl PrefixCache {
    /// A cache of `tokens` tokens.
    pub(crate) fn new(tokens: u64) -> Self {
        let blocks = usize::try_from(tokens / BLOCK_TOKENS).unwrap_or(usize::MAX);
        Self {
            young: HashSet::new(),
            old: HashSet::new(),
            generation_len_max: (blocks / 2).max(1),
        }
    }

    /// Looks up the longest known prefix of `prompt` and remembers all of it. Only whole blocks count, and
    /// the last token is always computed, so a repeated prompt is never cached whole.
    pub(crate) fn visit(&mut self, model: u64, prompt: &[u8]) -> PromptTokens {
        let total = count_tokens(prompt);
        let mut cached = 0;
        let mut known = true;
        let mut chain = model;
        let block_bytes = TOKEN_BYTES * usize::try_from(BLOCK_TOKENS).unwrap_or(1);
        for block in prompt.chunks_exact(block_bytes) {
            chain = xxh3_64_with_seed(block, chain);
            known = self.touch(chain) && known;
            if known {
                cached += BLOCK_TOKENS;
            }
        }
        if cached >= total {
            cached = cached.saturating_sub(BLOCK_TOKENS);
        }
        PromptTokens { total, cached }
    }

    /// Forgets everything, as a restart does.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn touch(&mut self, block: u64) -> bool {
        if self.young.contains(&block) {
            return true;
        }
        let known = self.old.contains(&block);
        if self.young.len() >= self.generation_len_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(block);
        known
    }
}

/// The number of tokens that a prompt counts as: one for each four bytes of its JSON, at least one.
pub(crate) fn count_tokens(prompt: &[u8]) -> u64 {
    u64::try_from(prompt.len().div_ceil(TOKEN_BYTES))
        .unwrap_or(u64::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_prefix_is_found_in_whole_blocks() {
        let mut cache = PrefixCache::new(10_000);
        let prompt: Vec<u8> = (0..200_u8).collect();
        let first = cache.visit(1, &prompt);
        assert_eq!(
            first,
            PromptTokens { total: 50, cached: 0 },
            "nothing is known at first"
        );
        let again = cache.visit(1, &prompt);
        assert_eq!(again.cached, 48, "three whole blocks; the rest is computed");
        let mut other = prompt.clone();
        other[100] = 255;
        assert_eq!(
            cache.visit(1, &other).cached,
            16,
            "only the block before the difference"
        );
        assert_eq!(cache.visit(2, &prompt).cached, 0, "another model shares nothing");
        cache.clear();
        assert_eq!(cache.visit(1, &prompt).cached, 0);
    }

    #[test]
    fn a_whole_prompt_is_never_cached_whole() {
        let mut cache = PrefixCache::new(10_000);
        let prompt = [7; 128];
        cache.visit(1, &prompt);
        assert_eq!(
            cache.visit(1, &prompt),
            PromptTokens {
                total: 32,
                cached: 16
            }
        );
    }

    #[test]
    fn old_blocks_are_forgotten_and_memory_stays_bounded() {
        let mut cache = PrefixCache::new(64);
        for start in 0..100_u8 {
            cache.visit(1, &[start; 64]);
        }
        assert!(
            cache.young.len() + cache.old.len() <= 4,
            "64 tokens are four blocks"
        );
        assert_eq!(cache.visit(1, &[0; 64]).cached, 0, "long gone");
    }
}
