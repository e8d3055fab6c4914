//! Series that were found before. Looking one up by its labels costs more than counting in it, and the writer
//! thread counts each request in twenty.

use foldhash::HashMap;
use prometheus::Histogram;
use record::Name;

use super::latency::ModelLatency;
use super::routing::Choices;
use super::tokens::ModelTokens;
use super::traffic::{Answers, ModelTraffic};

/// The series of finished requests. They are never taken out of their families.
#[derive(Debug, Default)]
pub(super) struct Series {
    models: HashMap<Name, OfModel>,
    pub(super) answers: Answers,
    pub(super) choices: Choices,
    pub(super) upstream_ttft: HashMap<Name, Histogram>,
}

/// The series of one model. There are as many as labels of models, which are bounded.
#[derive(Debug, Default)]
pub(super) struct OfModel {
    pub(super) latency: ModelLatency,
    pub(super) tokens: ModelTokens,
    pub(super) traffic: ModelTraffic,
}

/// A few series of one family, by the labels that tell them apart.
#[derive(Debug)]
pub(super) struct Found<K, M>(Vec<(K, M)>);

// === impl Series ===

impl Series {
    /// Those of a model by its label.
    pub(super) fn of_model(&mut self, model: Name) -> &mut OfModel {
        self.models.entry(model).or_default()
    }
}

// === impl Found ===

impl<K: PartialEq, M> Found<K, M> {
    /// The series with some labels, looked up the first time.
    pub(super) fn get(&mut self, labels: K, find: impl FnOnce() -> M) -> &M {
        let place = self.0.iter().position(|(known, _)| *known == labels);
        let place = place.unwrap_or_else(|| {
            self.0.push((labels, find()));
            self.0.len() - 1
        });
        &self.0[place].1
    }
}

impl<K, M> Default for Found<K, M> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
