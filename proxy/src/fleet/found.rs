//! Replicas that were found, beside those that are configured.

use std::sync::Arc;

use record::Name;

use super::{Changing, Fleet};
use crate::replicas::{Replica, UrlError};
use crate::settings::{Discover, PoolSettings, ReplicaSettings};

/// What one source of a pool has at present.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pool: Name,
    source: Discover,
    replicas: Vec<ReplicaSettings>,
}

// === impl Found ===

impl Found {
    /// Those whose source is still configured. One that is configured otherwise has what it had until it is
    /// looked at: a change of its settings must not leave a pool without replicas.
    pub(super) fn still_wanted(found: &[Self], settings: &[PoolSettings]) -> Vec<Self> {
        let wanted = |found: &Self| {
            let pool = settings.iter().find(|pool| pool.name == found.pool)?;
            let same = |source: &&Discover| source.kind() == found.source.kind();
            Some(Self {
                source: pool.discover.iter().find(same)?.clone(),
                ..found.clone()
            })
        };
        found.iter().filter_map(wanted).collect()
    }

    /// The settings of a pool with what was found for it. Who is configured, or found first, stays as it is.
    pub(super) fn beside(settings: &PoolSettings, found: &[Self]) -> PoolSettings {
        let mut whole = settings.clone();
        let mut names: Vec<_> = settings.replicas.iter().filter_map(Replica::name_of).collect();
        let own = found.iter().filter(|found| found.pool == settings.name);
        for replica in own.flat_map(|found| &found.replicas) {
            if let Some(name) = Replica::name_of(replica)
                && !names.contains(&name)
            {
                names.push(name);
                whole.replicas.push(replica.clone());
            }
        }
        whole
    }
}

// === impl Fleet ===

impl Fleet {
    /// Every source of replicas, with its pool.
    pub(crate) fn sources(&self) -> Vec<(Name, Discover)> {
        let changing = self.changing.lock();
        let pools = changing.configured.iter();
        pools
            .flat_map(|pool| {
                pool.discover
                    .iter()
                    .map(|source| (pool.name.clone(), source.clone()))
            })
            .collect()
    }

    /// The replicas of a source are these from now on; `true` when that is news. A source that is no longer
    /// configured changes nothing.
    ///
    /// # Errors
    /// When the URL of a replica is not one; nothing has changed then.
    pub(crate) fn found(
        &self,
        pool: &Name,
        source: &Discover,
        replicas: Vec<ReplicaSettings>,
    ) -> Result<bool, UrlError> {
        let Changing {
            configured,
            found,
            leaving,
        } = &mut *self.changing.lock();
        let is_wanted = |wanted: &PoolSettings| wanted.name == *pool && wanted.discover.contains(source);
        if !configured.iter().any(is_wanted) {
            return Ok(false);
        }
        let mut after = found.clone();
        match after
            .iter_mut()
            .find(|known| known.pool == *pool && known.source == *source)
        {
            Some(known) if known.replicas == replicas => return Ok(false),
            Some(known) => known.replicas = replicas,
            None => after.push(Found {
                pool: Arc::clone(pool),
                source: source.clone(),
                replicas,
            }),
        }
        self.swap(leaving, configured, &after)?;
        *found = after;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::settings;
    use crate::settings::FileSettings;
    use std::time::Duration;

    fn source() -> Discover {
        looked_at_every(1)
    }

    fn looked_at_every(seconds: u64) -> Discover {
        Discover::File(FileSettings {
            path: "replicas.yaml".into(),
            every: Duration::from_secs(seconds),
        })
    }

    fn replica(url: &str, address: Option<&str>) -> ReplicaSettings {
        ReplicaSettings {
            url: url.to_owned(),
            address: address.map(|address| address.parse().unwrap()),
            weight: 1,
            max_in_flight: None,
            drain: false,
        }
    }

    fn names(fleet: &Fleet) -> Vec<String> {
        let members = fleet.members();
        members
            .iter()
            .map(|member| member.replica.name.to_string())
            .collect()
    }

    #[test]
    fn what_is_found_comes_beside_what_is_configured_and_who_stays_is_kept() {
        let mut pool = settings("a", &["http://10.0.0.1:8000"]);
        pool.discover.push(source());
        let fleet = Fleet::new(std::slice::from_ref(&pool)).unwrap();
        let two = vec![
            replica("http://llm:8000", Some("10.0.0.2:8000")),
            replica("http://llm:8000", Some("10.0.0.1:8000")),
        ];
        assert!(fleet.found(&"a".into(), &source(), two.clone()).unwrap());
        assert_eq!(names(&fleet), ["10.0.0.1:8000", "10.0.0.2:8000"], "each once");
        assert!(!fleet.found(&"a".into(), &source(), two).unwrap(), "no news");
        let stays = fleet.members()[1].clone();
        fleet.models_changed();
        assert!(stays.is(&fleet.members()[1]), "the same replica");

        let other = vec![
            replica("http://llm:8000", Some("10.0.0.3:8000")),
            replica("http://llm:8000", Some("10.0.0.2:8000")),
        ];
        fleet.found(&"a".into(), &source(), other).unwrap();
        assert_eq!(names(&fleet), ["10.0.0.1:8000", "10.0.0.3:8000", "10.0.0.2:8000"]);
        assert!(stays.is(&fleet.members()[2]), "still the same replica");

        let wrong = vec![replica("nonsense", None)];
        assert!(
            !fleet
                .found(&"a".into(), &source(), wrong)
                .is_ok_and(|_| names(&fleet).len() == 3)
        );
        fleet.found(&"a".into(), &source(), Vec::new()).unwrap();
        assert!(stays.replica.is_drained(), "who has left gets nothing new");
    }

    #[test]
    fn what_was_found_stays_over_a_reload_and_goes_with_its_source() {
        let mut pool = settings("a", &[]);
        pool.discover.push(source());
        let fleet = Fleet::new(std::slice::from_ref(&pool)).unwrap();
        let found = vec![replica("http://10.0.0.2:8000", None)];
        fleet.found(&"a".into(), &source(), found.clone()).unwrap();
        fleet.replace(std::slice::from_ref(&pool)).unwrap();
        assert_eq!(names(&fleet), ["10.0.0.2:8000"]);
        assert_eq!(fleet.sources().len(), 1);
        pool.discover = vec![looked_at_every(5)];
        fleet.replace(std::slice::from_ref(&pool)).unwrap();
        assert_eq!(names(&fleet), ["10.0.0.2:8000"], "until it is looked at again");
        assert!(
            !fleet.found(&"a".into(), &source(), Vec::new()).unwrap(),
            "a late word"
        );
        assert!(fleet.found(&"a".into(), &looked_at_every(5), Vec::new()).unwrap());
        assert!(names(&fleet).is_empty());
        fleet
            .found(&"a".into(), &looked_at_every(5), found.clone())
            .unwrap();
        let plain = settings("a", &["http://10.0.0.9:8000"]);
        fleet.replace(std::slice::from_ref(&plain)).unwrap();
        assert_eq!(names(&fleet), ["10.0.0.9:8000"]);
        fleet.found(&"a".into(), &source(), found).unwrap();
        assert_eq!(
            names(&fleet),
            ["10.0.0.9:8000"],
            "a late word of a source that is gone"
        );
    }
}
