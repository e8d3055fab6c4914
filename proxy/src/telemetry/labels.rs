//! Model names as labels: bounded, and never taken from a request that nobody answered.
//!
//! A label value lives as long as the process. A name becomes one only when a replica lists it or answers
//! with it, and only the first [`MODELS_MAX`] do; everything else is `other`. So no client can fill the
//! registry.

use std::sync::Arc;

use arc_swap::ArcSwap;
use record::Name;

/// Most model names that become labels. Why this number: 64 models are about 11,000 series, which Prometheus
/// takes easily.
const MODELS_MAX: usize = 64;

/// The label for a model that is none of the known ones.
const OTHER: &str = "other";

/// The known model names.
#[derive(Debug, Default)]
pub(crate) struct ModelLabels(ArcSwap<Vec<Name>>);

// === impl ModelLabels ===

impl ModelLabels {
    /// Lets a name that a replica gave become a label.
    pub(crate) fn allow(&self, model: &Name) {
        if self.0.load().contains(model) {
            return;
        }
        self.0.rcu(|known| {
            let mut known = Vec::clone(known);
            if known.len() < MODELS_MAX && !known.contains(model) {
                known.push(Arc::clone(model));
            }
            known
        });
    }

    /// The label of a model. Reads one pointer and compares a few names; allocates only for `other`.
    pub(crate) fn label(&self, model: Option<&Name>) -> Name {
        model
            .filter(|model| self.0.load().contains(model))
            .cloned()
            .unwrap_or_else(|| OTHER.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_names_become_labels_and_only_so_many() {
        let labels = ModelLabels::default();
        assert_eq!(&*labels.label(Some(&"evil".into())), OTHER);
        assert_eq!(&*labels.label(None), OTHER);
        for index in 0..MODELS_MAX + 10 {
            labels.allow(&format!("m{index}").into());
            labels.allow(&"m0".into());
        }
        assert_eq!(&*labels.label(Some(&"m0".into())), "m0");
        assert_eq!(
            &*labels.label(Some(&format!("m{}", MODELS_MAX - 1).into())),
            format!("m{}", MODELS_MAX - 1)
        );
        assert_eq!(&*labels.label(Some(&format!("m{MODELS_MAX}").into())), OTHER);
    }
}
