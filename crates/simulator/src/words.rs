//! What a simulated model says: one word of nonsense for each token.

use rand::RngExt;
use rand::rngs::SmallRng;

/// Words as they stand inside a JSON string. Some need more than one byte a letter or an escape, so that a
/// proxy that cuts them shows.
const WORDS: [&str; 40] = [
    " the",
    " stream",
    " level",
    " river",
    " water",
    " gauge",
    " measures",
    " without",
    " holding",
    " it",
    " up",
    " slowly",
    " under",
    " bridge",
    " stone",
    " and",
    " so",
    " a",
    " small",
    " boat",
    " drifts",
    " past",
    " meadows",
    " until",
    " evening",
    ",",
    ".",
    " über",
    " naïve",
    " \u{6c34}",
    " \u{1f30a}",
    "\\n",
    " \\\"yes\\\"",
    " 42",
    " kilometre",
    "-long",
    " tributary",
    " sediment",
    " flows",
    " on",
];

/// The next word, JSON-escaped.
pub(crate) fn word(rng: &mut SmallRng) -> &'static str {
    WORDS[rng.random_range(0..WORDS.len())]
}

/// Appends `count` words.
pub(crate) fn push_words(out: &mut String, count: u64, rng: &mut SmallRng) {
    for _ in 0..count {
        out.push_str(word(rng));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_word_is_the_inside_of_a_json_string() {
        for word in WORDS {
            let text: String = serde_json::from_str(&format!("\"{word}\"")).unwrap();
            assert!(
                !text.is_empty(),
                "a word that says nothing would be no token event"
            );
        }
    }

    #[test]
    fn the_same_seed_says_the_same() {
        let say = |seed: u64| {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut text = String::new();
            push_words(&mut text, 12, &mut rng);
            text
        };
        assert_eq!(say(3), say(3));
        assert_ne!(say(3), say(4));
    }
}
