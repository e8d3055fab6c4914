//! The pools and their replicas, swapped as a whole.
//!
//! What is in force is one immutable list behind one pointer. A request takes its [`Pool`] from it once and
//! keeps it, so that a new configuration changes nothing for requests that have begun. What lives longer than
//! a configuration is carried over: a replica whose URL stays in its pool keeps its health, its counters and
//! its requests in flight, and a pool whose name stays keeps what it has learned ([`Kept`]).
//!
//! Replicas that are found (`discovery.rs`) come beside the configured ones; a replica that is both is the
//! configured one.
//!
//! Reading costs one atomic load. Writers (a reload, discovery) hold a lock that no request ever takes.

mod admission;
mod audit;
mod choice;
mod found;
mod models;
mod places;
mod pool;
mod turnover;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use record::{Name, ReplicaPulse, ReplicaState};
use tokio::sync::watch;

pub(crate) use audit::{Audit, Hold};
pub(crate) use models::UnknownModel;
pub(crate) use places::{WithReplica, count_in};
pub(crate) use pool::Pool;
#[cfg(test)]
pub(crate) use pool::tests::settings;

use crate::replicas::{Replica, UrlError};
use crate::settings::PoolSettings;
use found::Found;

/// All pools.
#[derive(Debug)]
pub(crate) struct Fleet {
    pools: ArcSwap<Vec<Arc<Pool>>>,
    changing: Mutex<Changing>,
    /// Counts the swaps.
    swaps: watch::Sender<u64>,
}

/// What only those who change the fleet look at.
#[derive(Debug)]
struct Changing {
    /// The pools as they are configured.
    configured: Vec<PoolSettings>,
    /// What was found for them.
    found: Vec<Found>,
    /// Replicas that left the fleet with requests in flight.
    leaving: Vec<Member>,
}

/// One replica in its pool.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The pool's name.
    pub(crate) pool: Name,
    pub(crate) replica: Arc<Replica>,
}

// === impl Member ===

impl Member {
    /// Whether this is the same replica, not one of the same name.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.replica, &other.replica)
    }
}

// === impl Fleet ===

impl Fleet {
    /// A fleet of these pools.
    ///
    /// # Errors
    /// When a replica's URL is not one.
    pub(crate) fn new(settings: &[PoolSettings]) -> Result<Self, UrlError> {
        let pools = settings
            .iter()
            .map(|pool| Pool::new(pool, None).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        pools.iter().for_each(|pool| pool.enact());
        Ok(Self {
            pools: ArcSwap::from_pointee(pools),
            changing: Mutex::new(Changing {
                configured: settings.to_vec(),
                found: Vec::new(),
                leaving: Vec::new(),
            }),
            swaps: watch::channel(0).0,
        })
    }

    /// Puts these pools in the place of those in force, all at once.
    ///
    /// # Errors
    /// When a replica's URL is not one; nothing has changed then.
    pub(crate) fn replace(&self, settings: &[PoolSettings]) -> Result<(), UrlError> {
        // One swap after the other: each starts from what the one before it left.
        let mut changing = self.changing.lock();
        let found = Found::still_wanted(&changing.found, settings);
        self.swap(&mut changing.leaving, settings, &found)?;
        changing.configured = settings.to_vec();
        changing.found = found;
        Ok(())
    }

    /// A replica lists other models than before: from now on requests are sent accordingly.
    pub(crate) fn models_changed(&self) {
        let Changing {
            configured,
            found,
            leaving,
        } = &mut *self.changing.lock();
        if let Err(error) = self.swap(leaving, configured, found) {
            debug_assert!(false, "these URLs are in force: {error}");
        }
    }

    fn swap(
        &self,
        leaving: &mut Vec<Member>,
        configured: &[PoolSettings],
        found: &[Found],
    ) -> Result<(), UrlError> {
        let before = self.pools.load_full();
        let after = configured.iter().map(|settings| {
            let same = before.iter().find(|pool| pool.name == settings.name);
            Pool::new(&Found::beside(settings, found), same.map(Arc::as_ref)).map(Arc::new)
        });
        let after = after.collect::<Result<Vec<_>, _>>()?;
        for member in before.iter().flat_map(|pool| pool.members()) {
            if !after
                .iter()
                .flat_map(|pool| pool.members())
                .any(|stays| stays.is(&member))
            {
                member.replica.drain(true);
                leaving.push(member);
            }
        }
        after.iter().for_each(|pool| pool.enact());
        self.pools.store(Arc::new(after));
        self.swaps.send_modify(|count| *count += 1);
        Ok(())
    }

    /// The pool of this name, if it is still there.
    pub(crate) fn pool(&self, name: &str) -> Option<Arc<Pool>> {
        self.pools.load().iter().find(|pool| &*pool.name == name).cloned()
    }

    /// The first pool.
    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<Arc<Pool>> {
        self.pools.load().first().cloned()
    }

    /// Every replica with its pool.
    pub(crate) fn members(&self) -> Vec<Member> {
        let pools = self.pools.load();
        pools.iter().flat_map(|pool| pool.members()).collect()
    }

    /// Requests that wait for a replica.
    pub(crate) fn waiting(&self) -> u64 {
        let waiting: usize = self.pools.load().iter().map(|pool| pool.waiting()).sum();
        u64::try_from(waiting).unwrap_or(u64::MAX)
    }

    /// What says whether the replica of this number is forsaken; `None` when it is not in the fleet.
    pub(crate) fn forsaken(&self, id: u64) -> Option<Arc<AtomicBool>> {
        let pools = self.pools.load();
        let replica = pools
            .iter()
            .flat_map(|pool| &pool.replicas)
            .find(|replica| replica.id == id)?;
        Some(Arc::clone(replica.forsaken()))
    }

    /// Every pool.
    pub(crate) fn pools(&self) -> Arc<Vec<Arc<Pool>>> {
        self.pools.load_full()
    }

    /// Told at each swap, from now on.
    pub(crate) fn swaps(&self) -> watch::Receiver<u64> {
        self.swaps.subscribe()
    }

    /// Whether a replica is known to be there.
    pub(crate) fn is_served(&self) -> bool {
        let pools = self.pools.load();
        pools
            .iter()
            .flat_map(|pool| &pool.replicas)
            .any(|replica| replica.state() == ReplicaState::Up)
    }

    /// How every replica is, for the pulse; those that have left, until their last request has ended.
    pub(crate) fn pulse(&self) -> Vec<ReplicaPulse> {
        let mut changing = self.changing.lock();
        let leaving = &mut changing.leaving;
        leaving.retain(|member| member.replica.in_flight() > 0);
        let gone = leaving.iter().map(|member| member.replica.pulse(&member.pool));
        let there = self.members();
        let there = there.iter().map(|member| member.replica.pulse(&member.pool));
        there.chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::replicas::Event;

    #[test]
    fn a_fleet_is_served_once_one_replica_of_any_pool_is_up() {
        let pools = [
            settings("chat", &["http://10.0.0.1:1"]),
            settings("embeddings", &["http://10.0.0.2:1"]),
        ];
        let fleet = Fleet::new(&pools).unwrap();
        assert_eq!(fleet.first().unwrap().name.as_ref(), "chat");
        assert!(fleet.pool("chat").is_some() && fleet.pool("audio").is_none());
        assert!(!fleet.is_served(), "nobody was probed");
        fleet.pool("embeddings").unwrap().replicas[0].learn(Event::ProbePassed, clock::now());
        assert!(fleet.is_served());
        let pulse = fleet.pulse();
        let seen: Vec<_> = pulse.iter().map(|seen| (&*seen.pool, &*seen.replica)).collect();
        assert_eq!(seen, [("chat", "10.0.0.1:1"), ("embeddings", "10.0.0.2:1")]);
    }

    #[test]
    fn what_stays_keeps_its_state_and_what_goes_shows_until_its_last_request() {
        let (a, b, c) = ("http://10.0.0.1:1", "http://10.0.0.2:1", "http://10.0.0.3:1");
        let fleet = Fleet::new(&[settings("chat", &[a, b])]).unwrap();
        let held = fleet.first().unwrap();
        held.replicas[1].learn(Event::ProbePassed, clock::now());
        assert!(held.replicas[0].count_in(), "a request goes to it");
        fleet
            .replace(&[settings("chat", &[b, c]), settings("more", &[a])])
            .unwrap();
        let now = fleet.first().unwrap();
        assert!(
            Arc::ptr_eq(&held.replicas[1], &now.replicas[0]),
            "the replica of the URL that stays is the same one"
        );
        assert_eq!(now.replicas[0].state(), ReplicaState::Up, "with its health");
        assert_eq!(
            held.replicas.len(),
            2,
            "a request that has begun sees what it was given"
        );
        let other = fleet.pool("more").unwrap();
        assert_eq!(other.replicas[0].in_flight(), 0, "another pool, another replica");
        let pulse = fleet.pulse();
        let leaves = pulse.last().unwrap();
        assert_eq!(
            (leaves.state, leaves.in_flight, &*leaves.pool),
            (ReplicaState::Draining, 1, "chat")
        );
        held.replicas[0].count_out();
        assert_eq!(fleet.pulse().len(), 3, "nothing holds it any more");
    }

    #[test]
    fn a_wrong_url_changes_nothing() {
        let fleet = Fleet::new(&[settings("chat", &["http://10.0.0.1:1"])]).unwrap();
        let before = fleet.first().unwrap();
        let wrong = [settings("chat", &["http://10.0.0.2:1"]), settings("x", &["x"])];
        assert!(fleet.replace(&wrong).is_err());
        assert!(
            Arc::ptr_eq(&before, &fleet.first().unwrap()),
            "not even the first pool"
        );
    }
}
