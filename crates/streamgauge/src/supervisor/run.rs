//! The life of `up`: bind, start, announce, keep, drain.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::banner::{ask_replicas, banner};
use super::child::{Kind, Stage};
use super::gate;
use super::keeper::{Keeper, Order};
use super::launch::Launcher;
use super::sockets::Sockets;
use crate::cli::{LogFormat, Options};
use crate::config::{Config, Environment, load};
use crate::failure::Failure;
use crate::preflight;
use crate::watch::Watched;

/// A second signal within this time belongs to the first; a later one is impatience.
const ECHO: Duration = Duration::from_secs(1);

/// Runs both children until a signal ends it. Blocks.
///
/// # Errors
/// When something prevents the start; afterwards only a signal ends it.
pub(crate) fn up(options: &Options, env: &Environment) -> Result<(), Failure> {
    // One thread, and it is the main thread: the kernel ties a child's parent-death signal to the thread that
    // started it, so children must not be started by a worker thread that may end.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .context("starting the runtime")?
        .block_on(supervise(options, env))
}

async fn supervise(options: &Options, env: &Environment) -> Result<(), Failure> {
    let mut ending = Ending::new().context("listening for signals")?;
    let mut asking = Asking::new().context("listening for signals")?;
    let watched = options.config.as_deref().map(Watched::new);
    let requested = load(options.config.as_deref(), env, &options.flags())?;
    let mut config = requested.clone();
    preflight::ledger(&config.proxy.ledger)?;
    let sockets = Arc::new(Sockets::bind(&mut config)?);
    let launcher = Arc::new(Launcher::new(sockets.clone(), options.log.clone())?);

    let ops = sockets.ops.try_clone().context("copying the ops socket")?;
    let ops = TcpListener::from_std(ops).context("serving the ops port")?;
    let (current, receiver) = watch::channel(None);
    tokio::spawn(gate::serve(ops, receiver));

    let config = Arc::new(config);
    let (proxy, proxy_keeper) = Hand::new(Kind::Proxy, &launcher, &config, current);
    let (api, api_keeper) = Hand::new(Kind::MetricsApi, &launcher, &config, watch::channel(None).0);
    // Both start at the same time. A signal during the start drops, and so kills, what has begun.
    let children = tokio::select! {
        children = async { tokio::try_join!(proxy_keeper.start(), api_keeper.start()) } => children?,
        () = ending.received() => return Ok(()),
    };
    let proxy = proxy.keeping(tokio::spawn(proxy_keeper.keep(children.0)));
    let api = api.keeping(tokio::spawn(api_keeper.keep(children.1)));

    if let Some(watched) = watched.filter(|_| requested.watch) {
        watched.signal_changes()?;
    }
    let announced = tokio::spawn(announce(launcher.clone(), config, options.log.log_format));
    let mut state = Reload {
        ledger: requested.proxy.ledger.clone(),
        requested,
        sockets,
        options: options.clone(),
        env: env.clone(),
    };
    loop {
        tokio::select! {
            () = ending.received() => break,
            (name, wish) = asking.received() => {
                tracing::info!("{name}: reading the configuration again");
                if let Some(config) = state.reload(wish) {
                    for hand in [&proxy, &api] {
                        hand.order(config.clone(), wish);
                    }
                }
            }
        }
    }
    announced.abort();
    drain(proxy, api, &mut ending).await;
    Ok(())
}

/// The proxy first, so that the dashboard shows its last records until they are all written.
async fn drain(proxy: Hand, api: Hand, ending: &mut Ending) {
    tracing::info!("finishing the running requests; a second signal stops at once");
    let stages = [proxy.stage, api.stage];
    let leave = async {
        for (keeper, stage) in [proxy.keeper, api.keeper].into_iter().zip(&stages) {
            // A second signal may have come first; it must not be taken back.
            stage.send_if_modified(|stage| {
                let running = *stage == Stage::Running;
                if running {
                    *stage = Stage::Draining;
                }
                running
            });
            if let Some(keeper) = keeper {
                // A keeper that panicked has dropped its children, and so killed them.
                let _ = keeper.await;
            }
        }
    };
    tokio::pin!(leave);
    let again = async {
        // Some senders signal a process and its group, so the first request may arrive twice.
        let echoes = async {
            loop {
                ending.received().await;
            }
        };
        let _: Result<(), _> = timeout(ECHO, echoes).await;
        ending.received().await;
    };
    tokio::select! {
        () = &mut leave => return,
        () = again => {}
    }
    tracing::warn!("stopping at once");
    for stage in &stages {
        stage.send_replace(Stage::Cutting);
    }
    leave.await;
}

async fn announce(launcher: Arc<Launcher>, config: Arc<Config>, format: LogFormat) {
    let answers = ask_replicas(launcher.probe(), &config).await;
    match format {
        LogFormat::Text => {
            // A closed stdout is no reason to stop serving.
            let mut stdout = std::io::stdout().lock();
            let _ = stdout
                .write_all(banner(&config, &answers).as_bytes())
                .and_then(|()| stdout.flush());
        }
        LogFormat::Json => {
            let alive = answers.iter().filter(|(_, models)| models.is_ok()).count();
            tracing::info!(
                proxy = config.proxy.listen.join(","),
                ops = %config.proxy.ops_listen,
                dashboard = %config.metrics_api.listen,
                ledger = ledger::masked_url(&config.proxy.ledger),
                replicas = answers.len(),
                replicas_up = alive,
                "streamgauge serves"
            );
        }
    }
}

/// What the main task holds of one keeper.
#[derive(Debug)]
struct Hand {
    orders: watch::Sender<Order>,
    stage: watch::Sender<Stage>,
    keeper: Option<JoinHandle<()>>,
}

// === impl Hand ===

impl Hand {
    fn new(
        kind: Kind,
        launcher: &Arc<Launcher>,
        config: &Arc<Config>,
        current: watch::Sender<Option<std::net::SocketAddr>>,
    ) -> (Self, Keeper) {
        let (orders, received) = watch::channel(Order {
            config: config.clone(),
            replacements: 0,
        });
        let (stage, staged) = watch::channel(Stage::Running);
        let keeper = Keeper::new(kind, launcher.clone(), config.clone(), current, received, staged);
        (
            Self {
                orders,
                stage,
                keeper: None,
            },
            keeper,
        )
    }

    /// Tells the keeper what its child is to become.
    fn order(&self, config: Arc<Config>, wish: Wish) {
        self.orders.send_modify(|order| {
            order.config = config;
            order.replacements += u64::from(wish == Wish::Replace);
        });
    }

    fn keeping(self, keeper: JoinHandle<()>) -> Self {
        Self {
            keeper: Some(keeper),
            ..self
        }
    }
}

/// What a reload needs of the start.
#[derive(Debug)]
struct Reload {
    requested: Config,
    /// The address of the ledger in use.
    ledger: String,
    sockets: Arc<Sockets>,
    options: Options,
    env: Environment,
}

// === impl Reload ===

impl Reload {
    /// The new configuration with the old sockets; `None`, with the reason in the log, when it is wrong.
    fn reload(&mut self, wish: Wish) -> Option<Arc<Config>> {
        let mut new = match load(self.options.config.as_deref(), &self.env, &self.options.flags()) {
            Ok(new) => new,
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!("the new configuration is refused, the old one stays: {problem}");
                }
                return None;
            }
        };
        let requested = new.clone();
        match self.sockets.keep(&self.requested, &mut new) {
            Ok(ignored) => {
                for key in ignored {
                    tracing::warn!("{key} changed; that takes a restart of streamgauge");
                }
            }
            Err(error) => {
                tracing::error!("the new configuration cannot be used: {error:#}");
                return None;
            }
        }
        if wish == Wish::Reload && new.proxy.ledger != self.ledger {
            // Proxy and API must read and write the same one at all times.
            tracing::warn!("ledger.url changed; send SIGUSR2 to take it over");
            new.proxy.ledger.clone_from(&self.ledger);
            new.metrics_api.ledger.clone_from(&self.ledger);
        }
        self.ledger.clone_from(&new.proxy.ledger);
        self.requested = requested;
        Some(Arc::new(new))
    }
}

/// The signals that end us.
#[derive(Debug)]
struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Ending ===

impl Ending {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    /// The new configuration, as far as a running proxy can take it over.
    Reload,
    /// New processes, from the program's file.
    Replace,
}

/// The signals that ask for a new configuration or new children.
#[derive(Debug)]
struct Asking {
    hang_up: Signal,
    quit: Signal,
    user2: Signal,
}

// === impl Asking ===

impl Asking {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for one of them and tells its name.
    async fn received(&mut self) -> (&'static str, Wish) {
        tokio::select! {
            _ = self.hang_up.recv() => ("SIGHUP", Wish::Reload),
            _ = self.quit.recv() => ("SIGQUIT", Wish::Replace),
            _ = self.user2.recv() => ("SIGUSR2", Wish::Replace),
        }
    }
}
