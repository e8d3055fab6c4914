//! One pool: replicas that serve the same models under the same settings.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use record::Name;

use super::Member;
use crate::replicas::{Replica, UrlError};
use crate::settings::{PoolSettings, Timeouts};

/// A pool as one configuration has it; never changed.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: Name,
    pub(crate) settings: PoolSettings,
    pub(crate) replicas: Vec<Arc<Replica>>,
    connection_group: u64,
    /// What a pool of this name keeps from one configuration to the next.
    kept: Arc<Kept>,
}

/// What outlives a pool's settings.
#[derive(Debug, Default)]
struct Kept {
    /// Whose turn it is.
    next: AtomicUsize,
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
            let stays = |replica: &&Arc<Replica>| replica.url == wanted.url;
            match before.and_then(|pool| pool.replicas.iter().find(stays)) {
                Some(replica) => Ok(Arc::clone(replica)),
                None => Replica::new(wanted).map(Arc::new),
            }
        });
        Ok(Self {
            name: settings.name.clone(),
            replicas: replicas.collect::<Result<_, _>>()?,
            connection_group: connection_group(&settings.timeouts),
            settings: settings.clone(),
            kept: before.map(|pool| Arc::clone(&pool.kept)).unwrap_or_default(),
        })
    }

    /// The next replica in turn that takes requests and was not `tried` for this one.
    pub(crate) fn choose(&self, tried: &[Name]) -> Option<Arc<Replica>> {
        let start = self.kept.next.fetch_add(1, Relaxed);
        let len = self.replicas.len();
        (0..len)
            .filter_map(|step| self.replicas.get(start.wrapping_add(step) % len.max(1)))
            .find(|replica| replica.takes_requests() && !tried.contains(&replica.name))
            .cloned()
    }

    /// Whether another replica than the `tried` ones takes requests. Costs no replica its turn.
    pub(crate) fn has_other(&self, tried: &[Name]) -> bool {
        self.replicas
            .iter()
            .any(|replica| replica.takes_requests() && !tried.contains(&replica.name))
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

fn connection_group(timeouts: &Timeouts) -> u64 {
    let mut hasher = DefaultHasher::new();
    timeouts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests;
