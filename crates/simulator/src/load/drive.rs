//! The loops that send: closed, where a connection waits for its answer, and open, where arrivals wait for
//! nobody.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock;
use crate::load::arrivals::Arrivals;
use crate::load::exchange::{Leave, Line, exchange};
use crate::load::settings::{LoadSettings, Mode, Traffic};
use crate::load::summary::{Keep, Summary};
use crate::load::traffic::{Outgoing, Source};

/// Why a run could not begin.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The target's URL is not one.
    #[error("{0}")]
    Target(String),
    /// The target's name has no address.
    #[error("cannot find the address of `{0}`")]
    Unknown(String),
    /// Nothing accepted a connection in time.
    #[error("`{target}` accepted no connection within {patience:?}")]
    Unreachable {
        /// The target.
        target: String,
        /// How long it was tried.
        patience: Duration,
    },
    /// The server names no model, and the settings name none either.
    #[error("`{0}` lists no models under /v1/models; name one")]
    NoModels(String),
}

/// What all tasks of a run share.
struct Run {
    settings: LoadSettings,
    addr: SocketAddr,
    source: Mutex<Source>,
    summary: Mutex<Summary>,
    idle: Mutex<Vec<Line>>,
    sent: AtomicU64,
}

/// Time between two looks at the summary of a run.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks for idle connections that the server has closed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Longest stay of a client that leaves by time.
const LEAVE_MS_MAX: u64 = 1_500;
/// Most events a client that leaves by count has read.
const LEAVE_EVENTS_MAX: u64 = 40;

/// Sends requests until the settings or `stop` end the run, waits for the last answers, and says what was
/// seen. `progress` sees the summary every ten seconds.
///
/// # Errors
/// When the target is no URL, cannot be reached, or lists no models.
pub async fn drive(
    settings: LoadSettings,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&Summary),
) -> Result<Summary, DriveError> {
    let authority = settings.authority().map_err(DriveError::Target)?;
    let addr = tokio::net::lookup_host(&authority)
        .await
        .ok()
        .and_then(|mut addrs| addrs.next())
        .ok_or_else(|| DriveError::Unknown(authority.clone()))?;
    let mut stop = std::pin::pin!(stop);
    let models = tokio::select! {
        found = prepare(&settings, addr, &authority) => found?,
        () = &mut stop => return Ok(Summary::new()),
    };
    let name = clock::unique();
    let source = Source::new(&settings.traffic, &models, &authority, settings.seed, name);
    let run = Arc::new(Run {
        addr,
        source: Mutex::new(source),
        summary: Mutex::new(Summary::new()),
        idle: Mutex::new(Vec::new()),
        sent: AtomicU64::new(0),
        settings,
    });
    let started = clock::now();
    let mut tasks = JoinSet::new();
    let limit = run.settings.duration.unwrap_or(Duration::MAX);
    let ends = started.checked_add(limit);
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    ticks.tick().await;
    let finished = {
        // Answers under way are waited for; a run that is stopped drops them.
        let sending = async {
            send_all(&run, &mut tasks, ends).await;
            while tasks.join_next().await.is_some() {}
        };
        let mut sending = std::pin::pin!(sending);
        loop {
            tokio::select! {
                () = &mut sending => break true,
                () = &mut stop => break false,
                _ = ticks.tick() => {
                    let summary = run.snapshot(started);
                    progress(&summary);
                }
            }
        }
    };
    tracing::debug!(finished, "the load run ended");
    tasks.shutdown().await;
    Ok(run.snapshot(started))
}

// === impl Run ===

impl Run {
    /// The next request and when its client leaves; `None` when the limit of requests is reached.
    fn next(&self) -> Option<(Outgoing, Leave)> {
        if let Some(max) = self.settings.requests_max
            && self.sent.fetch_add(1, Ordering::Relaxed) >= max
        {
            return None;
        }
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let request = source.next();
        let leave = if self.settings.abort_rate > 0.0 && source.chance(self.settings.abort_rate) {
            if source.chance(0.5) {
                Leave::AfterEvents(1 + source.up_to(LEAVE_EVENTS_MAX - 1))
            } else {
                Leave::After(Duration::from_millis(source.up_to(LEAVE_MS_MAX)))
            }
        } else {
            Leave::Never
        };
        Some((request, leave))
    }

    async fn one(
        &self,
        line: Option<Line>,
        started: Instant,
        request: &Outgoing,
        leave: Leave,
    ) -> Option<Line> {
        let timeout = self.settings.timeout;
        let (seen, line) = exchange(self.addr, line, request, started, leave, timeout).await;
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = Keep {
            ids: self.settings.keep_ids,
            times: self.settings.keep_times,
        };
        summary.add(seen, keep);
        line
    }

    fn take_idle(&self) -> Option<Line> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_idle(&self, line: Option<Line>) {
        if let Some(line) = line {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    }

    /// Closes the idle connections that the server has closed: a burst leaves many, and the pool is a stack.
    fn drop_stale(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|line| !line.is_stale());
    }

    fn snapshot(&self, started: Instant) -> Summary {
        let mut summary = self
            .summary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        summary.elapsed = clock::now().saturating_duration_since(started);
        summary
    }
}

async fn send_all(run: &Arc<Run>, tasks: &mut JoinSet<()>, ends: Option<Instant>) {
    match run.settings.mode {
        Mode::Closed { connections } => {
            for _ in 0..connections.max(1) {
                let run = Arc::clone(run);
                tasks.spawn(async move { closed_loop(&run, ends).await });
            }
            while tasks.join_next().await.is_some() {}
        }
        Mode::Open {
            rate,
            connections,
            bursts,
        } => open_loop(run, tasks, ends, rate, connections, bursts).await,
    }
}

async fn closed_loop(run: &Run, ends: Option<Instant>) {
    let mut line = None;
    while ends.is_none_or(|ends| clock::now() < ends) {
        let Some((request, leave)) = run.next() else {
            return;
        };
        let reachable = run.one(line.take(), clock::now(), &request, leave).await;
        if reachable.is_none() && leave_is_never(leave) {
            // A server that refuses or breaks every connection must not be hammered by a busy loop.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        line = reachable;
    }
}

fn leave_is_never(leave: Leave) -> bool {
    matches!(leave, Leave::Never)
}

async fn open_loop(
    run: &Arc<Run>,
    tasks: &mut JoinSet<()>,
    ends: Option<Instant>,
    rate: f64,
    connections: usize,
    bursts: bool,
) {
    let seats = Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS)));
    let begun = clock::now();
    let mut arrivals = Arrivals::new(rate, bursts, run.settings.seed, begun);
    let mut sweep_due = begun + SWEEP_EVERY;
    loop {
        let due = arrivals.next();
        if ends.is_some_and(|ends| due >= ends) {
            return;
        }
        tokio::time::sleep_until(due.into()).await;
        let Some((request, leave)) = run.next() else {
            return;
        };
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let shared = Arc::clone(run);
        tasks.spawn(async move {
            let line = shared.one(shared.take_idle(), due, &request, leave).await;
            shared.put_idle(line);
            drop(seat);
        });
        while tasks.try_join_next().is_some() {}
        if due >= sweep_due {
            sweep_due = due + SWEEP_EVERY;
            run.drop_stale();
        }
    }
}

/// Waits until the server accepts, and asks which models it has when the traffic needs to know.
async fn prepare(settings: &LoadSettings, addr: SocketAddr, host: &str) -> Result<Vec<String>, DriveError> {
    let reached = async {
        loop {
            match Line::connect(addr).await {
                Ok(line) => return line,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let patience = settings.patience;
    let unreachable = || DriveError::Unreachable {
        target: settings.target.clone(),
        patience,
    };
    let mut line = tokio::time::timeout(patience, reached)
        .await
        .map_err(|_| unreachable())?;
    let Traffic::Applications { models, key, .. } = &settings.traffic else {
        return Ok(Vec::new());
    };
    if !models.is_empty() {
        return Ok(Vec::new());
    }
    let asking = async {
        loop {
            let found = line.models(host, key.as_deref()).await;
            if !found.is_empty() {
                return found;
            }
            // A proxy may accept before its first replica is up.
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Ok(fresh) = Line::connect(addr).await {
                line = fresh;
            }
        }
    };
    tokio::time::timeout(patience, asking)
        .await
        .map_err(|_| DriveError::NoModels(settings.target.clone()))
}
