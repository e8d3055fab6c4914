//! How many bytes of a prompt make a token, learned from what replicas report.
//!
//! Kept for each model and each order of magnitude of the prompt: short prompts carry the chat template,
//! long ones may be code, base64 pictures or token numbers, and each has its own ratio.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use parking_lot::RwLock;

/// Bytes of JSON text that make a token until usage says better.
const BYTES_PER_TOKEN: u64 = 4;
/// Ratios are kept in parts of a byte.
const PARTS: u64 = 256;
/// The newest request counts for one part in this many.
const MEMORY: u64 = 16;
/// Models that are told apart; further ones share the ratio of nobody. Why this number: a pool serves a few
/// models and their adapters; names that no replica knows never finish and so never come here.
const MODELS_MAX: usize = 1_024;
/// Orders of magnitude of a prompt's length, by powers of two.
const CLASSES: usize = 32;

/// The ratios of all models of a pool.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    models: RwLock<HashMap<u64, Arc<Ratios>>>,
}

/// The ratios of one model, in parts of a byte for each token; 0 is not known.
#[derive(Debug, Default)]
struct Ratios {
    classes: [AtomicU32; CLASSES],
}

/// Turns bytes of one request's prompt into tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio(u64);

// === impl Calibration ===

impl Calibration {
    /// The ratio for a prompt of this length.
    pub(crate) fn ratio(&self, model: u64, bytes: u64) -> Ratio {
        let models = self.models.read();
        let known = models.get(&model).and_then(|ratios| ratios.known(bytes));
        Ratio(known.unwrap_or(BYTES_PER_TOKEN * PARTS))
    }

    /// A prompt of `bytes` bytes was `tokens` tokens.
    pub(crate) fn learn(&self, model: u64, bytes: u64, tokens: u64) {
        if bytes == 0 || tokens == 0 {
            return;
        }
        let known = self.models.read().get(&model).map(Arc::clone);
        let ratios = known.or_else(|| {
            let mut models = self.models.write();
            (models.len() < MODELS_MAX || models.contains_key(&model))
                .then(|| Arc::clone(models.entry(model).or_default()))
        });
        if let Some(ratios) = ratios {
            ratios.learn(bytes, tokens);
        }
    }
}

// === impl Ratios ===

impl Ratios {
    /// The ratio of the length's own class, or of the nearest one that is known.
    fn known(&self, bytes: u64) -> Option<u64> {
        let class = class(bytes);
        let near = (0..CLASSES).flat_map(|away| [class.checked_sub(away), class.checked_add(away)]);
        near.flatten()
            .filter_map(|class| self.classes.get(class))
            .map(|ratio| u64::from(ratio.load(Relaxed)))
            .find(|ratio| *ratio != 0)
    }

    fn learn(&self, bytes: u64, tokens: u64) {
        let seen = bytes.saturating_mul(PARTS) / tokens;
        let Some(ratio) = self.classes.get(class(bytes)) else {
            return;
        };
        // Two that learn at once may lose one of the two; the mean does not mind.
        let before = u64::from(ratio.load(Relaxed));
        let mean = match before {
            0 => seen,
            _ => before - before / MEMORY + seen / MEMORY,
        };
        ratio.store(u32::try_from(mean).unwrap_or(u32::MAX).max(1), Relaxed);
    }
}

// === impl Ratio ===

impl Ratio {
    /// Tokens of so many bytes of this prompt.
    pub(crate) fn tokens(self, bytes: u64) -> u64 {
        bytes.saturating_mul(PARTS) / self.0.max(1)
    }
}

fn class(bytes: u64) -> usize {
    let order = bytes.checked_ilog2().unwrap_or(0);
    usize::try_from(order).unwrap_or(CLASSES).min(CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_teaches_the_ratio() {
        let calibration = Calibration::default();
        assert_eq!(
            calibration.ratio(1, 8_000).tokens(8_000),
            2_000,
            "four until usage says better"
        );
        for _ in 0..100 {
            calibration.learn(1, 8_000, 4_000);
        }
        let ratio = calibration.ratio(1, 8_100);
        assert_eq!(ratio.tokens(8_000), 4_000);
        assert_eq!(
            calibration.ratio(1, 300).tokens(300),
            150,
            "the nearest class that is known"
        );
        assert_eq!(calibration.ratio(2, 8_000).tokens(8_000), 2_000, "another model");
        calibration.learn(1, 0, 5);
        calibration.learn(1, 5, 0);
        assert_eq!(
            calibration.ratio(1, 8_000).tokens(8_000),
            4_000,
            "nonsense teaches nothing"
        );
    }

    #[test]
    fn pictures_do_not_spoil_the_ratio_of_text() {
        let calibration = Calibration::default();
        for _ in 0..50 {
            calibration.learn(1, 6_000, 1_500);
            calibration.learn(1, 2_000_000, 1_600);
        }
        assert_eq!(calibration.ratio(1, 6_000).tokens(6_000), 1_500);
        let tokens = calibration.ratio(1, 2_000_000).tokens(2_000_000);
        assert!(
            (1_500..1_700).contains(&tokens),
            "{tokens} for a megabyte of base64"
        );
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let calibration = Calibration::default();
        for model in 0..5_000 {
            calibration.learn(model, 1_000, 100);
        }
        assert_eq!(calibration.models.read().len(), MODELS_MAX);
    }
}
