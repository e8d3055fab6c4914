//! The live feed: one task reads the pulses once a second for all pages that watch.
//!
//! The task starts with the first watcher and ends with the last, so that a service that nobody looks at does
//! not touch the ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::Reader;
use record::{Pulse, ReplicaState, UnixMillis};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::exposition::{is_fresh, is_remembered};
use crate::model::{Live, LiveReplica, Moment, RateSet, ReplicaStateWord};
use crate::rates::Rates;

/// Proxies write a pulse once a second; reading more often shows nothing new.
const PERIOD: Duration = Duration::from_secs(1);

/// The last event, and the task that makes them while somebody watches.
#[derive(Clone)]
pub(crate) struct Feed {
    reader: Reader,
    clock: Clock,
    sender: watch::Sender<Option<Live>>,
    /// Whether the task runs. Held while a watcher comes and while the task decides to end, so that neither
    /// misses the other.
    running: Arc<Mutex<bool>>,
}

// === impl Feed ===

impl Feed {
    /// A feed that nobody watches yet.
    pub(crate) fn new(reader: Reader, clock: Clock) -> Self {
        let (sender, _) = watch::channel(None);
        Self {
            reader,
            clock,
            sender,
            running: Arc::default(),
        }
    }

    /// Watches, and starts the task if it does not run. Needs a tokio runtime.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Live>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        if !*running {
            *running = true;
            tokio::spawn(self.clone().run());
        }
        receiver
    }

    async fn run(self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rates = Rates::default();
        let mut failing = false;
        loop {
            ticks.tick().await;
            if self.ends() {
                return;
            }
            match self.reader.pulses().await {
                Ok(pulses) => {
                    failing = false;
                    let now = self.clock.now();
                    let flow = rates.observe(&pulses, now);
                    self.sender.send_replace(Some(live(&pulses, flow, now)));
                }
                // The page sees that events stop coming; the log says why, once.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "cannot read the pulses for the live feed");
                }
                Err(_) => {}
            }
        }
    }

    /// Whether nobody watches any more, in which case the task is no longer running.
    fn ends(&self) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if self.sender.receiver_count() > 0 {
            return false;
        }
        *running = false;
        // A later watcher must not be shown this as the present.
        self.sender.send_replace(None);
        true
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("watchers", &self.sender.receiver_count())
            .finish_non_exhaustive()
    }
}

/// One event.
fn live(pulses: &[Pulse], rates: RateSet, now: UnixMillis) -> Live {
    let remembered = pulses.iter().filter(|pulse| is_remembered(pulse, now));
    let (fresh, stale): (Vec<&Pulse>, Vec<&Pulse>) = remembered.partition(|pulse| is_fresh(pulse, now));
    let sum = |count: fn(&Pulse) -> u64| (!fresh.is_empty()).then(|| fresh.iter().map(|p| count(p)).sum());
    Live {
        at: Moment(now),
        proxies_live: count(fresh.len()),
        proxies_stale: count(stale.len()),
        in_flight: sum(|pulse| pulse.in_flight),
        waiting: sum(|pulse| pulse.waiting),
        rates,
        replicas: replicas(&fresh),
    }
}

fn replicas(fresh: &[&Pulse]) -> Vec<LiveReplica> {
    let mut rows: BTreeMap<(&str, &str), (ReplicaState, u64)> = BTreeMap::new();
    for replica in fresh.iter().flat_map(|pulse| &pulse.replicas) {
        let row = rows
            .entry((&replica.pool, &replica.replica))
            .or_insert((replica.state, 0));
        row.0 = worse(row.0, replica.state);
        row.1 = row.1.saturating_add(replica.in_flight);
    }
    rows.into_iter()
        .map(|((pool, replica), (state, in_flight))| LiveReplica {
            replica: replica.to_owned(),
            pool: pool.to_owned(),
            state: ReplicaStateWord(state),
            in_flight,
        })
        .collect()
}

/// The state to show when two proxies differ: the one that needs a look.
pub(crate) fn worse(left: ReplicaState, right: ReplicaState) -> ReplicaState {
    let badness = |state| match state {
        ReplicaState::Up => 0,
        ReplicaState::Unknown => 1,
        ReplicaState::Draining => 2,
        ReplicaState::HalfOpen => 3,
        ReplicaState::Ejected => 4,
        ReplicaState::Down => 5,
    };
    if badness(right) > badness(left) {
        right
    } else {
        left
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
