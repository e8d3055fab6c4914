//! Keeps one child alive: restarts it when it dies, replaces it when asked, stops it at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::child::{Child, Kind, Stage, end_of_running};
use super::launch::{Launcher, Serving};
use crate::config::Config;
use crate::failure::Failure;

/// How long a new proxy may take until it has found a replica, before it takes over anyway: with every
/// replica down, the old one could do no better.
const READY_PATIENCE: Duration = Duration::from_secs(5);
/// What a stop may take beyond the configured grace: closing connections and flushing records.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// Keeps one child alive.
#[derive(Debug)]
pub(super) struct Keeper {
    kind: Kind,
    launcher: Arc<Launcher>,
    config: Arc<Config>,
    /// Where the ops port passes connections on to.
    current: watch::Sender<Option<SocketAddr>>,
    orders: watch::Receiver<Order>,
    /// Replacements that were asked for and are done.
    replaced: u64,
    stage: watch::Receiver<Stage>,
    /// Children that were replaced and still finish their requests.
    leaving: JoinSet<()>,
}

/// What a keeper is to bring its child to. Only the last order counts.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) config: Arc<Config>,
    /// How often a new process was asked for, and not only a new configuration.
    pub(super) replacements: u64,
}

/// How keeping goes on.
#[derive(Debug)]
enum Next {
    /// With this child.
    Keep(Child),
    /// By stopping this child, the last one.
    Stop(Child),
    /// Not at all: there is no child, and the end has come.
    Gone,
}

// === impl Keeper ===

impl Keeper {
    /// A keeper without a child.
    pub(super) fn new(
        kind: Kind,
        launcher: Arc<Launcher>,
        config: Arc<Config>,
        current: watch::Sender<Option<SocketAddr>>,
        orders: watch::Receiver<Order>,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        Self {
            kind,
            launcher,
            config,
            current,
            orders,
            replaced: 0,
            stage,
            leaving: JoinSet::new(),
        }
    }

    /// The first start. Unlike a later one it may fail for good: a wrong setting does not get right by
    /// waiting.
    ///
    /// # Errors
    /// When the child does not come to serve.
    pub(super) async fn start(&self) -> Result<Child, Failure> {
        let serving = self.launcher.launch(self.kind, &self.config).await?;
        Ok(self.take_over(serving))
    }

    /// Keeps the child until the stage says otherwise. Returns when no child is left.
    pub(super) async fn keep(mut self, mut child: Child) {
        let mut backoff = Backoff::new();
        let mut stage = self.stage.clone();
        loop {
            let next = tokio::select! {
                biased;
                () = end_of_running(&mut stage) => Next::Stop(child),
                (end, _) = child.ended() => self.bury(child, &end, &mut backoff).await,
                Ok(()) = self.orders.changed() => self.obey(child, &mut backoff).await,
                Some(_) = self.leaving.join_next() => Next::Keep(child),
            };
            child = match next {
                Next::Keep(next) => next,
                Next::Stop(last) => {
                    self.leaving.spawn(last.stop(self.patience(), self.stage.clone()));
                    break;
                }
                Next::Gone => break,
            };
        }
        self.current.send_replace(None);
        self.leaving.join_all().await;
    }

    /// Does what was ordered last; what was ordered before it is done with it.
    async fn obey(&mut self, child: Child, backoff: &mut Backoff) -> Next {
        let order = self.orders.borrow_and_update().clone();
        let replace = order.replacements > self.replaced;
        self.replaced = order.replacements;
        match self.kind {
            Kind::Proxy if replace => Next::Keep(self.replace(child, order.config).await),
            Kind::Proxy => {
                self.configure(&child, order.config);
                Next::Keep(child)
            }
            Kind::MetricsApi if replace || differ(&self.config, &order.config) => {
                self.restart(child, order.config, backoff).await
            }
            Kind::MetricsApi => {
                self.config = order.config;
                Next::Keep(child)
            }
        }
    }

    /// The proxy reads its new configuration while it serves; its own log says how that went.
    fn configure(&mut self, child: &Child, config: Arc<Config>) {
        let Some(ops) = *self.current.borrow() else {
            return;
        };
        match self.launcher.configure(child, ops, &config) {
            Ok(()) => self.config = config,
            Err(error) => tracing::error!("{error:#}; the old configuration stays"),
        }
    }

    /// After a death: waits as the deaths before it say, and starts the child again.
    async fn bury(&self, child: Child, end: &str, backoff: &mut Backoff) -> Next {
        let (kind, lived) = (self.kind, child.age());
        self.current.send_replace(None);
        let wait = backoff.after(lived);
        tracing::error!(child = %kind, "{kind} {end} after {lived:.1?}; starting it again in {wait:?}");
        self.revive(wait, backoff).await
    }

    /// Stops the child and starts one with another configuration. Its socket lives on, so clients only wait.
    async fn restart(&mut self, old: Child, config: Arc<Config>, backoff: &mut Backoff) -> Next {
        old.stop(self.patience(), self.stage.clone()).await;
        self.config = config;
        self.revive(Duration::ZERO, backoff).await
    }

    /// Starts the child after `wait`, and again until it serves or the end comes.
    async fn revive(&self, mut wait: Duration, backoff: &mut Backoff) -> Next {
        let kind = self.kind;
        let mut stage = self.stage.clone();
        loop {
            let start = async {
                tokio::time::sleep(wait).await;
                self.launcher.launch(kind, &self.config).await
            };
            let launched = tokio::select! {
                biased;
                () = end_of_running(&mut stage) => return Next::Gone,
                launched = start => launched,
            };
            match launched {
                Ok(serving) => {
                    tracing::info!(child = %kind, "{kind} serves again");
                    return Next::Keep(self.take_over(serving));
                }
                Err(failure) => {
                    wait = backoff.after(Duration::ZERO);
                    tracing::error!(child = %kind, "{failure}; starting {kind} again in {wait:?}");
                }
            }
        }
    }

    /// Puts a new child beside the old one and lets the old one finish. A new child that fails changes
    /// nothing.
    async fn replace(&mut self, old: Child, config: Arc<Config>) -> Child {
        let kind = self.kind;
        let patience = self.patience();
        let mut stage = self.stage.clone();
        let launched = tokio::select! {
            biased;
            () = end_of_running(&mut stage) => return old,
            launched = self.launcher.launch(kind, &config) => launched,
        };
        let serving = match launched {
            Ok(serving) => serving,
            Err(failure) => {
                tracing::error!(child = %kind, "{failure}; the old {kind} goes on as before");
                return old;
            }
        };
        let has_replica = tokio::select! {
            biased;
            () = end_of_running(&mut stage) => false,
            ready = self.launcher.wait_until_ready(serving.ops, READY_PATIENCE) => ready,
        };
        if !has_replica {
            tracing::warn!(child = %kind, "the new {kind} is not ready yet; it takes over all the same");
        }
        self.config = config;
        let new = self.take_over(serving);
        self.leaving.spawn(old.stop(patience, self.stage.clone()));
        tracing::info!(child = %kind, "{kind} was replaced; the old one finishes its requests");
        new
    }

    fn take_over(&self, serving: Serving) -> Child {
        self.current.send_replace(Some(serving.ops));
        tracing::debug!(child = %self.kind, pid = serving.child.pid(), "{} serves", self.kind);
        serving.child
    }

    fn patience(&self) -> Duration {
        match self.kind {
            Kind::Proxy => self.config.proxy.grace + self.config.proxy.shutdown_lag + STOP_MARGIN,
            Kind::MetricsApi => STOP_MARGIN,
        }
    }
}

/// Whether the metrics API would be another one.
fn differ(old: &Config, new: &Config) -> bool {
    old.metrics_api_settings() != new.metrics_api_settings()
}
