//! One replica: whether it is there, whether it takes requests, how many it has.
//!
//! Reading its state costs a few atomic loads. State changes come from the prober (`hooks/probe.rs`) and, at
//! once, from a connection that could not be made. Which replicas there are is the fleet's knowledge
//! (`fleet.rs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use record::{Name, ReplicaPulse, ReplicaState, UnixMillis};

use crate::settings::ReplicaSettings;

/// Most replicas that are tried for one request. Why this number: two neighbours down at once is rare, three
/// is an outage.
pub(crate) const TRIES_MAX: u16 = 3;

/// One replica.
#[derive(Debug)]
pub(crate) struct Replica {
    /// `host:port`, its name in records and labels.
    pub(crate) name: Name,
    /// As it was configured or discovered; what tells it from the others of its pool.
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// Where it is now; `None` until its host name is resolved.
    address: ArcSwapOption<SocketAddr>,
    state: AtomicU8,
    changed_at: AtomicU64,
    failures: AtomicU32,
    in_flight: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    models: ArcSwapOption<Vec<Name>>,
    /// The prober is asked to look at once.
    suspect: AtomicBool,
}

/// A request that is with a replica; dropped exactly once, however the request ends.
#[derive(Debug)]
pub(crate) struct WithReplica(Arc<Replica>);

/// Why a replica's URL is not one.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not a replica's URL; write it like http://10.0.0.1:8000, without a path")]
pub struct UrlError {
    url: String,
}

// === impl Replica ===

impl Replica {
    /// # Errors
    /// When its URL is not one.
    pub(crate) fn new(settings: &ReplicaSettings) -> Result<Self, UrlError> {
        let refusal = || UrlError {
            url: settings.url.clone(),
        };
        let uri: http::Uri = settings.url.parse().map_err(|_| refusal())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refusal()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refusal());
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(refusal)?;
        let host = authority.host().to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if host.is_empty() || authority.as_str().ends_with(':') {
            return Err(refusal());
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        Ok(Self {
            name: format!("{host}:{port}").into(),
            url: settings.url.clone(),
            address: ArcSwapOption::from_pointee(literal.map(|ip| SocketAddr::new(ip, port))),
            host,
            port,
            tls,
            state: AtomicU8::new(0),
            changed_at: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            in_flight: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            models: ArcSwapOption::empty(),
            suspect: AtomicBool::new(false),
        })
    }

    pub(crate) fn state(&self) -> ReplicaState {
        let code = usize::from(self.state.load(Relaxed));
        ReplicaState::ALL
            .get(code)
            .copied()
            .unwrap_or(ReplicaState::Unknown)
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address.load().as_deref().copied()
    }

    /// A host name was resolved anew.
    pub(crate) fn resolved(&self, address: SocketAddr) {
        if self.address() != Some(address) {
            self.address.store(Some(Arc::new(address)));
        }
    }

    pub(crate) fn models(&self) -> Option<Arc<Vec<Name>>> {
        self.models.load_full()
    }

    pub(crate) fn set_models(&self, models: Vec<Name>) {
        self.models.store(Some(Arc::new(models)));
    }

    /// Whether a new request may go to it.
    pub(crate) fn takes_requests(&self) -> bool {
        matches!(self.state(), ReplicaState::Unknown | ReplicaState::Up) && self.address.load().is_some()
    }

    /// A request goes to this replica; the guard says when it is done.
    pub(crate) fn take(self: &Arc<Self>) -> WithReplica {
        self.in_flight.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        WithReplica(Arc::clone(self))
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// An attempt on this replica failed.
    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// No connection could be made: out at once; the prober brings it back. `true` when that is news.
    pub(crate) fn unreachable(&self, now: UnixMillis) -> bool {
        self.suspect.store(true, Relaxed);
        self.enter(ReplicaState::Down, now)
    }

    /// Whether a probe should come before its time; asking resets it.
    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Relaxed)
    }

    /// A probe was answered. `true` when that is news.
    pub(crate) fn probe_passed(&self, now: UnixMillis) -> bool {
        self.failures.store(0, Relaxed);
        self.enter(ReplicaState::Up, now)
    }

    /// A probe failed; after `limit` of them in a row the replica is out. `true` when that is news.
    pub(crate) fn probe_failed(&self, limit: u32, now: UnixMillis) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        failures >= limit.max(1) && self.enter(ReplicaState::Down, now)
    }

    fn enter(&self, state: ReplicaState, now: UnixMillis) -> bool {
        let code = ReplicaState::ALL
            .iter()
            .position(|other| *other == state)
            .and_then(|at| u8::try_from(at).ok());
        let changed = self.state.swap(code.unwrap_or(0), Relaxed) != code.unwrap_or(0);
        if changed {
            self.changed_at.store(u64::try_from(now.0).unwrap_or(0), Relaxed);
        }
        changed
    }

    /// How it is, for the pulse.
    pub(crate) fn pulse(&self, pool: &Name) -> ReplicaPulse {
        let changed_at = i64::try_from(self.changed_at.load(Relaxed)).unwrap_or(0);
        ReplicaPulse {
            replica: self.name.clone(),
            pool: pool.clone(),
            state: self.state(),
            in_flight: self.in_flight(),
            models: self.models().map(|models| models.to_vec()).unwrap_or_default(),
            changed_at: (changed_at > 0).then_some(UnixMillis(changed_at)),
            requests_total: self.requests.load(Relaxed),
            errors_total: self.errors.load(Relaxed),
        }
    }
}

// === impl WithReplica ===

impl WithReplica {
    pub(crate) const fn replica(&self) -> &Arc<Replica> {
        &self.0
    }
}

impl Drop for WithReplica {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
