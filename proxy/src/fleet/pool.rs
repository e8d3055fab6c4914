//! One pool: replicas that serve the same models under the same settings.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use record::Name;

use super::Member;
use crate::balance::{Balancer, BalancerSettings};
use crate::clock;
use crate::fleet::models::Models;
use crate::fleet::places::Places;
use crate::replicas::{Replica, RetryBudget, UrlError};
use crate::settings::{PoolSettings, Timeouts};

/// A pool as one configuration has it; never changed.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: Name,
    pub(crate) settings: PoolSettings,
    pub(crate) replicas: Vec<Arc<Replica>>,
    /// The model that this is a view for: then some of the replicas are left out.
    pub(super) model: Option<Name>,
    pub(super) models: Models,
    connection_group: u64,
    /// What a pool of this name keeps from one configuration to the next.
    pub(super) kept: Arc<Kept>,
}

/// What outlives a pool's settings.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) balancer: Arc<Balancer>,
    pub(super) places: Arc<Places>,
    pub(super) retries: RetryBudget,
}

// === impl Pool ===

impl Pool {
    /// A pool with these settings. Replicas whose URL stays, and what the pool has learned, come from the
    /// pool `before` it.
    ///
    /// # Errors
    /// When a replica's URL is not one.
    pub(crate) fn new(settings: &PoolSettings, before: Option<&Self>) -> Result<Self, UrlError> {
        let replicas = settings.replicas.iter().map(|wanted| {
            let stays = |replica: &&Arc<Replica>| replica.is(wanted);
            match before.and_then(|pool| pool.replicas.iter().find(stays)) {
                Some(replica) => Ok(Arc::clone(replica)),
                None => Replica::new(wanted).map(Arc::new),
            }
        });
        let replicas = replicas.collect::<Result<Vec<_>, _>>()?;
        let kept = before.map_or_else(|| Arc::new(Kept::new(settings)), |pool| Arc::clone(&pool.kept));
        let whole = |model: Option<Name>, replicas: Vec<Arc<Replica>>| Self {
            name: settings.name.clone(),
            replicas,
            model,
            models: Models::default(),
            connection_group: connection_group(&settings.timeouts),
            settings: settings.clone(),
            kept: Arc::clone(&kept),
        };
        let models = Models::of(&replicas, |model, some| whole(Some(Arc::clone(model)), some));
        Ok(Self {
            models,
            ..whole(None, replicas)
        })
    }

    /// These settings are in force from now on, also for what outlives them.
    pub(crate) fn enact(&self) {
        let settings = &self.settings;
        self.kept.balancer.set_policy(settings.balance);
        self.kept.places.limit(settings.max_in_flight, settings.queue.max);
        self.kept.retries.share(settings.retries.percent);
        for (replica, own) in self.replicas.iter().zip(&settings.replicas) {
            replica.settings(&settings.health, own);
        }
    }

    /// Connections to a replica are shared within a group: they were made with the same deadlines.
    pub(crate) const fn connection_group(&self) -> u64 {
        self.connection_group
    }

    /// Its replicas, each with the pool's name.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> {
        self.replicas.iter().map(|replica| Member {
            pool: self.name.clone(),
            replica: Arc::clone(replica),
        })
    }
}

// === impl Kept ===

impl Kept {
    fn new(settings: &PoolSettings) -> Self {
        // Two proxies of one fleet must not draw alike.
        let hasher = RandomState::new().build_hasher();
        Self {
            balancer: Arc::new(Balancer::new(BalancerSettings::new(
                settings.balance,
                hasher.finish(),
            ))),
            places: Arc::new(Places::new()),
            retries: RetryBudget::new(settings.retries.percent, clock::now()),
        }
    }
}

fn connection_group(timeouts: &Timeouts) -> u64 {
    let mut hasher = DefaultHasher::new();
    timeouts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests;
