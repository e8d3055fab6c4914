//! The hashes of a prompt's blocks, each of the block and of everything before it.
//!
//! Raw bytes, not tokens: the JSON text of a conversation is stable from turn to turn for nearly all clients,
//! and hashing it costs a fraction of what a tokenizer does. Two prompts with the same hash at a place are
//! the same up to there; a replica that has computed one of them has the other one's beginning in its cache.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Most blocks of a prompt that are hashed; what follows is counted, not looked up. Why this number: with
/// them half a megabyte of text is told apart, more than any context window of today.
pub const BLOCKS_MAX: usize = 512;

/// Length of a block in bytes, about 256 tokens. Why this number: `benches/RESULTS.md`; longer blocks are
/// cheaper and miss more, shorter ones cost time and memory and win nothing.
const BLOCK_LEN: usize = 1024;

/// A prompt as routing sees it: its length and the hashes of its whole blocks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prompt {
    /// Bytes of its JSON text.
    pub bytes: u64,
    /// One hash for each whole block, of it and of all before it.
    pub blocks: Vec<u64>,
}

/// Hashes a prompt as it arrives, in pieces of any length.
#[derive(Clone, Debug)]
pub struct ChainHasher {
    chain: u64,
    prompt: Prompt,
    /// The beginning of a block whose end has not come.
    rest: Vec<u8>,
}

// === impl Prompt ===

impl Prompt {
    /// A prompt of which only the length is known.
    #[must_use]
    pub const fn unread(bytes: u64) -> Self {
        Self {
            bytes,
            blocks: Vec::new(),
        }
    }
}

// === impl ChainHasher ===

impl ChainHasher {
    /// A chain for prompts that share a cache: same model, same cache salt, same tools in front.
    #[must_use]
    pub fn new(model: u64, before: &[&[u8]]) -> Self {
        let chain = before
            .iter()
            .filter(|part| !part.is_empty())
            .fold(model, |chain, part| xxh3_64_with_seed(part, chain));
        Self {
            chain,
            prompt: Prompt::default(),
            rest: Vec::new(),
        }
    }

    /// The next bytes of the prompt. Copies only the ends of blocks that a piece cuts.
    pub fn push(&mut self, mut piece: &[u8]) {
        self.prompt.bytes = self
            .prompt
            .bytes
            .saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        while self.prompt.blocks.len() < BLOCKS_MAX && !piece.is_empty() {
            let missing = BLOCK_LEN - self.rest.len();
            let Some((head, tail)) = piece.split_at_checked(missing) else {
                self.rest.extend_from_slice(piece);
                return;
            };
            if self.rest.is_empty() {
                self.chain = xxh3_64_with_seed(head, self.chain);
            } else {
                self.rest.extend_from_slice(head);
                self.chain = xxh3_64_with_seed(&self.rest, self.chain);
                self.rest.clear();
            }
            self.prompt.blocks.push(self.chain);
            piece = tail;
        }
    }

    /// The prompt, complete. A last block that is not whole has no hash: the next turn continues it.
    #[must_use]
    pub fn finish(self) -> Prompt {
        self.prompt
    }

    /// The chain of a prompt that is there as a whole; one allocation.
    #[must_use]
    pub fn whole(model: u64, before: &[&[u8]], prompt: &[u8]) -> Prompt {
        let mut hasher = Self::new(model, before);
        let blocks = (prompt.len() / BLOCK_LEN).min(BLOCKS_MAX);
        hasher.prompt.blocks.reserve_exact(blocks);
        hasher.push(prompt);
        hasher.finish()
    }
}

/// Bytes of the first `blocks` blocks.
pub(crate) fn bytes_of(blocks: usize) -> u64 {
    u64::try_from(blocks.saturating_mul(BLOCK_LEN)).unwrap_or(u64::MAX)
}

/// A hash for names that policies compare: models, sessions, replicas. The same in every proxy.
#[must_use]
pub fn name_hash(name: &[u8]) -> u64 {
    xxh3_64(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(len: usize) -> Vec<u8> {
        let mut random = crate::balance::random::Random::new(9);
        (0..len)
            .map(|_| u8::try_from(random.below(256)).unwrap())
            .collect()
    }

    proptest! {
        /// The pieces in which a prompt arrives do not matter.
        #[test]
        fn any_cut_gives_the_same_chain(cuts in proptest::collection::vec(0_usize..6_000, 0..12)) {
            let text = text(6_000);
            let mut cuts = cuts;
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut hasher = ChainHasher::new(3, &[b"salt"]);
            for pair in cuts.windows(2) {
                hasher.push(&text[pair[0]..pair[1]]);
            }
            prop_assert_eq!(hasher.finish(), ChainHasher::whole(3, &[b"salt"], &text));
        }
    }

    #[test]
    fn a_longer_conversation_begins_with_the_chain_of_the_shorter() {
        let long = text(10 * BLOCK_LEN);
        let whole = ChainHasher::whole(1, &[], &long);
        let turn = ChainHasher::whole(1, &[], &long[..4 * BLOCK_LEN + 100]);
        assert_eq!(turn.blocks, whole.blocks[..4]);
        let mut other = long;
        other[2 * BLOCK_LEN] ^= 1;
        let other = ChainHasher::whole(1, &[], &other);
        assert_eq!(
            other.blocks[..2],
            whole.blocks[..2],
            "the same up to the difference"
        );
        for (nth, (left, right)) in other.blocks.iter().zip(&whole.blocks).enumerate().skip(2) {
            assert_ne!(left, right, "block {nth} knows what came before it");
        }
    }

    #[test]
    fn model_salt_and_tools_part_the_caches() {
        let text = text(2 * BLOCK_LEN);
        let plain = ChainHasher::whole(1, &[], &text);
        let chains = [
            ChainHasher::whole(2, &[], &text),
            ChainHasher::whole(1, &[b"salt"], &text),
            ChainHasher::whole(1, &[b"salt", b"[tools]"], &text),
            ChainHasher::whole(1, &[b"[tools]"], &text),
        ];
        for (nth, chain) in chains.iter().enumerate() {
            assert_ne!(chain.blocks[0], plain.blocks[0], "case {nth}");
        }
        assert_eq!(
            ChainHasher::whole(1, &[b"", b""], &text),
            plain,
            "what is not there parts nothing"
        );
    }

    #[test]
    fn the_number_of_blocks_is_bounded_and_the_length_is_not() {
        let prompt = ChainHasher::whole(1, &[], &text((BLOCKS_MAX + 5) * BLOCK_LEN));
        assert_eq!(prompt.blocks.len(), BLOCKS_MAX);
        assert_eq!(prompt.bytes, bytes_of(BLOCKS_MAX + 5));
        let short = ChainHasher::whole(1, &[], b"[]");
        assert!(short.blocks.is_empty(), "nothing to look up");
        assert_eq!(short.bytes, 2);
    }
}
