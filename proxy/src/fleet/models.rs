//! Which pool serves a model, and with which of its replicas.
//!
//! What a pool serves is configured, or learned from the lists of its replicas. Where the lists differ, each
//! model has a view of its pool: the same pool with fewer replicas. So a choice that comes later need not
//! know of models.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::{Name, ReplicaState};

use super::pool::Pool;
use super::{Fleet, Member};
use crate::replicas::Replica;

/// Any model, where models are configured.
const ANY: &str = "*";

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no pool serves the model")]
pub(crate) struct UnknownModel;

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) pool: Arc<Pool>,
    /// The model's own name, where the client used an alias.
    pub(crate) rename: Option<Name>,
}

/// The models of one pool, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Models {
    /// What its replicas list.
    listed: BTreeSet<Name>,
    /// Models that only some of the replicas list.
    views: BTreeMap<Name, Arc<Pool>>,
}

/// Whether a pool serves a model.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Serves {
    No,
    /// A replica has not told what it serves.
    Perhaps,
    Yes,
}

// === impl Fleet ===

impl Fleet {
    /// The pool for a model. The first one that serves it and has a replica to do so comes before the first
    /// one that serves it; one that may serve it comes last. Without a model: the first pool that is there.
    ///
    /// # Errors
    /// When no pool serves the model.
    pub(crate) fn destination(&self, model: Option<&Name>) -> Result<Destination, UnknownModel> {
        let pools = self.pools();
        let Some(model) = model else {
            let there = pools.iter().find(|pool| pool.has_other(&[]));
            let pool = there.or_else(|| pools.first()).ok_or(UnknownModel)?;
            let (pool, rename) = (Arc::clone(pool), None);
            return Ok(Destination { pool, rename });
        };
        let mut best: Option<((Serves, bool), &Arc<Pool>, &Name)> = None;
        for pool in pools.iter() {
            let (real, serves) = pool.serves(model);
            let rank = (serves, serves == Serves::Yes && pool.has_other(&[]));
            if serves != Serves::No && best.is_none_or(|(known, ..)| rank > known) {
                best = Some((rank, pool, real));
            }
        }
        let (_, pool, real) = best.ok_or(UnknownModel)?;
        Ok(Destination {
            pool: pool.for_model(real),
            rename: (real != model).then(|| real.clone()),
        })
    }

    /// The same pool, for the same model, as it is now.
    pub(crate) fn again(&self, pool: &Pool) -> Option<Arc<Pool>> {
        let now = self.pool(&pool.name)?;
        Some(match &pool.model {
            Some(model) => now.for_model(model),
            None => now,
        })
    }

    /// The models that can be asked for at present, each with what a replica says about it, `None` where none
    /// does; aliases included. Empty when no replica has told what it serves and none is configured.
    pub(crate) fn catalogue(&self) -> Vec<(Name, Option<Arc<serde_json::Value>>)> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for pool in self.pools().iter() {
            all.extend(pool.catalogue());
        }
        all.retain(|(name, _)| seen.insert(Arc::clone(name)));
        all
    }
}

// === impl Pool ===

impl Pool {
    /// The model behind the name that a client uses, and whether it is served here.
    fn serves<'a>(&'a self, model: &'a Name) -> (&'a Name, Serves) {
        let aliases = &self.settings.aliases;
        if let Some((_, real)) = aliases.iter().find(|(alias, _)| alias == model) {
            return (real, Serves::Yes);
        }
        let configured = &self.settings.models;
        let serves = if !configured.is_empty() {
            let served = configured.iter().any(|name| name == model || &**name == ANY);
            if served { Serves::Yes } else { Serves::No }
        } else if self.models.find(model).is_some() {
            Serves::Yes
        } else if self.is_untold() {
            Serves::Perhaps
        } else {
            Serves::No
        };
        (model, serves)
    }

    /// Whether a replica that may be there has not told what it serves; some servers never do.
    fn is_untold(&self) -> bool {
        let untold = |replica: &&Arc<Replica>| replica.models().is_none();
        let there =
            |replica: &Arc<Replica>| !matches!(replica.state(), ReplicaState::Down | ReplicaState::Draining);
        self.models.listed.is_empty() || self.replicas.iter().filter(untold).any(there)
    }

    /// The pool with only the replicas that serve this model.
    fn for_model(self: &Arc<Self>, model: &Name) -> Arc<Self> {
        let listed = self.models.find(model);
        let view = listed.and_then(|model| self.models.views.get(model));
        Arc::clone(view.unwrap_or(self))
    }

    fn catalogue(&self) -> Vec<(Name, Option<Arc<serde_json::Value>>)> {
        let there = |replica: &&Arc<Replica>| {
            matches!(
                replica.state(),
                ReplicaState::Up | ReplicaState::HalfOpen | ReplicaState::Unknown
            )
        };
        let lists: Vec<_> = self
            .replicas
            .iter()
            .filter(there)
            .filter_map(|replica| replica.models())
            .collect();
        let configured = &self.settings.models;
        let open = configured.is_empty() || configured.iter().any(|name| &**name == ANY);
        let card = |name: &Name| {
            let found = lists
                .iter()
                .find_map(|list| list.iter().find(|model| model.name == *name));
            found.map(|model| Arc::clone(&model.card))
        };
        let listed = lists.iter().flat_map(|list| list.iter().map(|model| &model.name));
        let named = configured.iter().filter(|name| &***name != ANY);
        let own = listed.filter(|_| open).chain(named);
        let own = own.map(|name| (Arc::clone(name), card(name)));
        let aliases = self.settings.aliases.iter();
        own.chain(aliases.map(|(alias, real)| (Arc::clone(alias), card(real))))
            .collect()
    }
}

// === impl Models ===

impl Models {
    /// What the replicas of a pool list. `view` makes the pool with some of the replicas.
    pub(super) fn of(replicas: &[Arc<Replica>], view: impl Fn(&Name, Vec<Arc<Replica>>) -> Pool) -> Self {
        let lists: Vec<_> = replicas.iter().map(|replica| replica.models()).collect();
        let listed: BTreeSet<Name> = lists
            .iter()
            .flatten()
            .flat_map(|list| list.iter().map(|model| Arc::clone(&model.name)))
            .collect();
        let mut views = BTreeMap::new();
        for name in &listed {
            // One that has not told may serve it.
            let serves = |at: usize| {
                let list = lists.get(at).and_then(Option::as_ref);
                list.is_none_or(|list| list.iter().any(|model| model.name == *name))
            };
            let some: Vec<_> = replicas
                .iter()
                .enumerate()
                .filter(|(at, _)| serves(*at))
                .map(|(_, replica)| Arc::clone(replica))
                .collect();
            if some.len() < replicas.len() {
                views.insert(Arc::clone(name), Arc::new(view(name, some)));
            }
        }
        Self { listed, views }
    }

    /// A listed model by the name that a client uses: Ollama's names have a tag, and `latest` goes without
    /// saying. <https://github.com/ollama/ollama/blob/main/docs/api.md#model-names>
    fn find(&self, model: &Name) -> Option<&Name> {
        self.listed.get(model).or_else(|| {
            let tagged = || Name::from(format!("{model}:latest"));
            self.listed.get(&(!model.contains(':')).then(tagged)?)
        })
    }
}

// === impl Member ===

impl Member {
    /// Keeps what the replica lists; `true` when that is news.
    pub(crate) fn lists(&self, models: Vec<crate::replicas::Model>) -> bool {
        let names = |models: &[crate::replicas::Model]| -> Vec<Name> {
            models.iter().map(|model| Arc::clone(&model.name)).collect()
        };
        let before = self.replica.models();
        let news = before.is_none_or(|before| names(&before) != names(&models));
        self.replica.set_models(models);
        news
    }
}

#[cfg(test)]
mod tests;
