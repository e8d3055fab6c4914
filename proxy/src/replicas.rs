//! One replica: whether it takes requests, how many it has, how it fares.
//!
//! Reading its standing costs a few atomic loads. What is learnt about it goes through one state machine
//! ([`health`]): from the prober (`hooks/probe.rs`), and from the requests themselves. Which replicas there
//! are is the fleet's knowledge (`fleet.rs`).

mod budget;
mod evidence;
mod health;
mod origin;
mod pace;
mod scrape;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use record::{Name, ReplicaPulse, ReplicaState, UnixMillis};

pub(crate) use budget::RetryBudget;
pub(crate) use health::{Event, Standing};
pub use origin::UrlError;
pub(crate) use pace::{Pace, outliers};
pub(crate) use scrape::{LastLoad, Load};

use crate::balance::{Balancer, Seat, name_hash};
use crate::clock;
use crate::fleet::count_in;
use crate::settings::{HealthSettings, ReplicaSettings};
use health::Health;
use origin::Origin;

/// A replica that answered well within this time is expected back when it is away: requests may wait for it.
/// Why this number: an inference server restarts in a minute when its weights are in the page cache.
const EXPECTED_FOR: Duration = Duration::from_secs(60);

/// Longest pause that a replica's `Retry-After` gives it here: its own figure is a guess, and ours ends
/// earlier when it is the only one left.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Numbers the replicas.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Most models that are taken from one replica's list. Why this number: more adapters than one server holds.
const MODELS_MAX: usize = 512;

/// No limit, in the atomics that hold limits.
const UNLIMITED: u64 = u64::MAX;

/// One replica.
#[derive(Debug)]
pub(crate) struct Replica {
    /// Its number in this process: what tells it from one of the same name in another pool.
    pub(crate) id: u64,
    /// `host:port`, its name in records and labels.
    pub(crate) name: Name,
    /// As it was configured or discovered; what tells it from the others of its pool.
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// Its address was told with it; there is no name to resolve.
    given: Option<SocketAddr>,
    /// Where it is now; `None` until its host name is resolved.
    address: ArcSwapOption<SocketAddr>,
    /// Its share beside the others' shares.
    weight: AtomicU32,
    health: Mutex<Known>,
    /// The state of `health`, for readers without a lock.
    state: AtomicU8,
    /// The standing of `health`, for readers without a lock.
    standing: AtomicU8,
    /// One more good answer would change nothing in `health`.
    settled: AtomicBool,
    changed_at: AtomicU64,
    /// Moments in milliseconds after `made`, plus one; 0 is never.
    seen_ms: AtomicU64,
    paused_until_ms: AtomicU64,
    made: Instant,
    in_flight: AtomicU64,
    in_flight_max: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    models: ArcSwapOption<Vec<Model>>,
    /// How long first tokens took.
    pub(crate) pace: Pace,
    /// What it said last about its load.
    pub(crate) load: LastLoad,
    /// The prober is asked to look at once.
    suspect: AtomicBool,
    /// It gets no new requests, whatever its health.
    drained: AtomicBool,
    forsaken: Arc<AtomicBool>,
    /// A hash of its name, the same in every proxy.
    pub(crate) home: u64,
    seat: OnceLock<Seat>,
}

/// A model as a replica lists it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: Name,
    /// All that the replica says about it.
    pub(crate) card: Arc<serde_json::Value>,
}

/// The state machine with the settings that it runs under.
#[derive(Debug)]
struct Known {
    health: Health,
    settings: HealthSettings,
}

// === impl Replica ===

impl Replica {
    /// # Errors
    /// When its URL is not one.
    pub(crate) fn new(settings: &ReplicaSettings) -> Result<Self, UrlError> {
        let origin = Origin::parse(&settings.url)?;
        let given = settings.address.or_else(|| origin.address());
        let name = origin.name(settings.address);
        let Origin { host, port, tls } = origin;
        let made = clock::now();
        let scheme = if tls { "https" } else { "http" };
        Ok(Self {
            id: NEXT.fetch_add(1, Relaxed),
            home: name_hash(format!("{scheme}://{name}").as_bytes()),
            name: name.into(),
            url: settings.url.clone(),
            given,
            address: ArcSwapOption::from_pointee(given),
            weight: AtomicU32::new(settings.weight.max(1)),
            host,
            port,
            tls,
            health: Mutex::new(Known {
                health: Health::new(),
                settings: HealthSettings::default(),
            }),
            state: AtomicU8::new(0),
            standing: AtomicU8::new(Standing::Open.code()),
            settled: AtomicBool::new(false),
            changed_at: AtomicU64::new(0),
            seen_ms: AtomicU64::new(0),
            paused_until_ms: AtomicU64::new(0),
            made,
            in_flight: AtomicU64::new(0),
            in_flight_max: AtomicU64::new(UNLIMITED),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            models: ArcSwapOption::empty(),
            pace: Pace::new(),
            load: LastLoad::new(made),
            suspect: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            forsaken: Arc::default(),
            seat: OnceLock::new(),
        })
    }

    /// The name of a replica with these settings; `None` when its URL is not one.
    pub(crate) fn name_of(settings: &ReplicaSettings) -> Option<String> {
        let origin = Origin::parse(&settings.url).ok()?;
        Some(origin.name(settings.address))
    }

    /// Its seat in the balancer of its pool, taken at the first call.
    pub(crate) fn seat(&self, balancer: &Arc<Balancer>) -> &Seat {
        self.seat.get_or_init(|| balancer.seat())
    }

    pub(crate) fn state(&self) -> ReplicaState {
        if self.is_drained() {
            return ReplicaState::Draining;
        }
        let code = usize::from(self.state.load(Relaxed));
        ReplicaState::ALL
            .get(code)
            .copied()
            .unwrap_or(ReplicaState::Unknown)
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address.load().as_deref().copied()
    }

    /// Whether this is the replica that these settings mean.
    pub(crate) fn is(&self, wanted: &ReplicaSettings) -> bool {
        self.url == wanted.url && wanted.address.is_none_or(|address| self.given == Some(address))
    }

    /// Whether its address is fixed; else its host name is resolved from time to time.
    pub(crate) const fn is_fixed(&self) -> bool {
        self.given.is_some()
    }

    /// Its share beside the others' shares; at least 1.
    pub(crate) fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// A host name was resolved anew.
    pub(crate) fn resolved(&self, address: SocketAddr) {
        if self.address() != Some(address) {
            self.address.store(Some(Arc::new(address)));
        }
    }

    /// What it lists; `None` while it has not told.
    pub(crate) fn models(&self) -> Option<Arc<Vec<Model>>> {
        self.models.load_full()
    }

    pub(crate) fn set_models(&self, mut models: Vec<Model>) {
        models.truncate(MODELS_MAX);
        self.models.store(Some(Arc::new(models)));
    }

    /// Whether it gets no new requests from now on; those that it has go on.
    pub(crate) fn drain(&self, drained: bool) {
        self.drained.store(drained, Relaxed);
    }

    /// Whether it was taken out on purpose.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Relaxed)
    }

    /// What it may be given now; [`Standing::Gone`] while it is drained or its name is not resolved.
    pub(crate) fn standing(&self) -> Standing {
        if self.is_drained() || self.address.load().is_none() {
            return Standing::Gone;
        }
        Standing::from_code(self.standing.load(Relaxed))
    }

    /// Its settings and those of its pool are these from now on.
    pub(crate) fn settings(&self, health: &HealthSettings, own: &ReplicaSettings) {
        let limit = own
            .max_in_flight
            .map_or(UNLIMITED, |limit| u64::try_from(limit).unwrap_or(UNLIMITED));
        self.in_flight_max.store(limit, SeqCst);
        self.weight.store(own.weight.max(1), Relaxed);
        self.health.lock().settings = health.clone();
        self.drain(own.drain);
    }

    /// Counts a request in; `false` when the replica is full.
    pub(crate) fn count_in(&self) -> bool {
        let counted = count_in(&self.in_flight, self.in_flight_max.load(SeqCst)).is_some();
        if counted {
            self.requests.fetch_add(1, Relaxed);
        }
        counted
    }

    /// Counts a request out that was counted in.
    pub(crate) fn count_out(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// Most requests that may be with it; `None` is no limit.
    pub(crate) fn in_flight_max(&self) -> Option<u64> {
        Some(self.in_flight_max.load(SeqCst)).filter(|limit| *limit != UNLIMITED)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(SeqCst)
    }

    /// Set while requests that wait for its first byte are better off elsewhere.
    pub(crate) const fn forsaken(&self) -> &Arc<AtomicBool> {
        &self.forsaken
    }

    /// Whether it answered well not long ago: then it is worth waiting for.
    pub(crate) fn is_expected(&self, now: Instant) -> bool {
        let seen = self.seen_ms.load(Relaxed);
        seen > 0 && self.millis(now).saturating_sub(seen) <= millis(EXPECTED_FOR)
    }

    /// It asked to be left alone for this time.
    pub(crate) fn pause(&self, span: Duration, now: Instant) {
        let until = self.millis(now).saturating_add(millis(span.min(PAUSE_MAX)));
        self.paused_until_ms.fetch_max(until, Relaxed);
    }

    /// Whether it asked to be left alone still.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until_ms.load(Relaxed) > self.millis(now)
    }

    /// Whether a probe should come before its time; asking resets it.
    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Relaxed)
    }

    /// A moment within `span` that is this replica's own: the same each time, and others have others.
    pub(crate) fn moment(&self, span: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        let thousandth = u32::try_from(hasher.finish() % 1_000).unwrap_or(0);
        span * thousandth / 1_000
    }

    /// A moment in milliseconds after this value was made, plus one.
    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.made)).saturating_add(1)
    }

    /// How it is, for the pulse.
    pub(crate) fn pulse(&self, pool: &Name) -> ReplicaPulse {
        let changed_at = i64::try_from(self.changed_at.load(Relaxed)).unwrap_or(0);
        ReplicaPulse {
            replica: self.name.clone(),
            pool: pool.clone(),
            state: self.state(),
            in_flight: self.in_flight(),
            models: self
                .models()
                .map(|models| models.iter().map(|model| Arc::clone(&model.name)).collect())
                .unwrap_or_default(),
            changed_at: (changed_at > 0).then_some(UnixMillis(changed_at)),
            requests_total: self.requests.load(Relaxed),
            errors_total: self.errors.load(Relaxed),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
