//! The process: sockets, services, and an end that loses nothing.

use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::apps::{HttpServerApp, HttpServerOptions};
use pingora::connectors::ConnectorOptions;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::proxy::ProxyServiceBuilder;
use pingora::server::configuration::ServerConf;
use pingora::server::{
    ExecutionPhase, Fds, ListenFds, RunArgs, Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch,
};
use pingora::services::Service as ServiceTrait;
use pingora::services::background::background_service;
use pingora::services::listening::Service;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock;
use crate::hooks::discover::Discoverer;
use crate::hooks::ops::Ops;
use crate::hooks::probe::Prober;
use crate::hooks::wire::Wires;
use crate::hooks::{Hooks, door};
use crate::recorder::{BackupThread, WriterThread};
use crate::reload::reload;
use crate::settings::{ReadReplicas, Readers, Reread, RetrySettings, Settings};
use crate::shared::Shared;
use crate::sockets;

/// Client read buffer. Why this number: Pingora's 64 KiB cost 30 KiB a stream; a head fits in 4 KiB.
const READ_BUFFER: usize = 4 * 1024;

/// Idle connections to replicas that are kept, per thread.
const POOL_PER_THREAD: usize = 1_024;

/// A second signal within this time belongs to the first: some senders signal a process and its group.
const ECHO: Duration = Duration::from_secs(1);

/// How long bytes on their way out and lingering clients may take after the last request.
const LAST_BYTES: Duration = Duration::from_millis(1_500);

/// Runs the proxy until a signal ends it: SIGTERM and SIGINT drain and lose nothing. SIGHUP reads the
/// configuration anew.
///
/// # Errors
/// When it cannot start: a port is in use, the ledger cannot be opened, a replica's URL is not one.
pub fn run(settings: Settings, readers: Readers) -> anyhow::Result<()> {
    pingora::tls::install_default_crypto_provider();
    let (shared, records) = Shared::new(settings)?;
    let fds = listening_sockets(&shared.settings())?;
    let writer = WriterThread::start(&shared, records)?;
    let backups = BackupThread::start(&shared)?;
    let mut server = Server::new_with_opt_and_conf(None, server_conf(&shared.settings()));
    server.bootstrap();
    add_services(&mut server, &shared, &fds, readers.replicas);
    let mut phase = server.watch_execution_phase();
    let signals = Signals {
        shared: Arc::clone(&shared),
        reread: Arc::new(readers.config),
    };
    let serving = thread::Builder::new()
        .name("server".to_owned())
        .spawn(move || {
            let shutdown_signal = Box::new(signals);
            server.run(RunArgs { shutdown_signal });
        })
        .context("starting the server thread")?;
    while !matches!(
        phase.blocking_recv(),
        Ok(ExecutionPhase::ShutdownGracePeriod) | Err(_)
    ) {}
    let in_flight = shared.in_flight.load(Relaxed);
    tracing::info!(in_flight, "draining: {in_flight} requests are in flight");
    // After the grace period the server thread cuts what is left; dropping a request's context sends its
    // record.
    wait_until(|| serving.is_finished() || shared.in_flight.load(Relaxed) == 0);
    let patience = clock::now() + LAST_BYTES;
    wait_until(|| serving.is_finished() || shared.connections.load(Relaxed) == 0 || clock::now() >= patience);
    backups.finish(&shared);
    writer.finish(&shared);
    tracing::info!("stopped");
    Ok(())
}

/// The sockets by the text of their address: inherited ones as they are, the others bound here.
fn listening_sockets(settings: &Settings) -> anyhow::Result<ListenFds> {
    let mut fds = Fds::new();
    for address in settings.listen.iter().chain([&settings.ops_listen]) {
        let inherited = settings.inherited.iter().find(|socket| socket.bind == *address);
        let fd = match inherited {
            Some(socket) => socket.fd,
            None => {
                let socket: TcpListener = sockets::bind(address).with_context(|| {
                    format!("cannot listen on `{address}`; choose another address or end what uses it")
                })?;
                let port = socket
                    .local_addr()
                    .map_or_else(|_| address.clone(), |address| address.to_string());
                tracing::info!(address = %port, "listening on {port}");
                socket.into_raw_fd()
            }
        };
        fds.add(address.clone(), fd);
    }
    Ok(Arc::new(Mutex::new(fds)))
}

fn server_conf(settings: &Settings) -> ServerConf {
    let grace = settings.grace.as_secs().max(1);
    ServerConf {
        threads: settings.threads.max(1),
        // A bound only: the process leaves as soon as the last request is done.
        grace_period_seconds: Some(grace),
        graceful_shutdown_timeout_seconds: Some(1),
        // A bound only: each pool has its own limit below it.
        max_retries: usize::from(RetrySettings::ATTEMPTS_MAX),
        upstream_keepalive_pool_size: POOL_PER_THREAD,
        // Longer timeouts use tokio's timers, which are removed when they are cancelled.
        fast_timeout_to_tokio_threshold_seconds: Some(30),
        ..ServerConf::default()
    }
}

fn add_services(server: &mut Server, shared: &Arc<Shared>, fds: &ListenFds, read: ReadReplicas) {
    let conf = Arc::clone(&server.configuration);
    let mut options = HttpServerOptions::default();
    options.force_custom = true;
    let wires = Wires::new(ConnectorOptions::from_server_conf(&conf), Arc::clone(shared));
    let mut proxy = ProxyServiceBuilder::new(
        &conf,
        Hooks {
            shared: Arc::clone(shared),
        },
    )
    .name("proxy")
    .custom(wires, door::door(Arc::clone(shared)))
    .server_options(options)
    .build();
    for address in &shared.settings().listen {
        let buffers = L4BufferSettings::default().read(READ_BUFFER);
        proxy.add_listener(ListenerConfig::tcp(address).l4_buffer(buffers));
    }
    server.add_service(OwnSockets {
        service: proxy,
        fds: Arc::clone(fds),
    });

    let mut ops = Service::new("ops".to_owned(), Ops(Arc::clone(shared)));
    ops.add_tcp(&shared.settings().ops_listen);
    ops.threads = Some(1);
    server.add_service(OwnSockets {
        service: ops,
        fds: Arc::clone(fds),
    });

    let mut prober = background_service("prober", Prober(Arc::clone(shared)));
    prober.threads = Some(1);
    server.add_service(prober);

    let discoverer = Discoverer {
        shared: Arc::clone(shared),
        read: Arc::new(read),
    };
    let mut discoverer = background_service("discoverer", discoverer);
    discoverer.threads = Some(1);
    server.add_service(discoverer);
}

/// A Pingora service that listens on sockets of ours instead of binding its own.
struct OwnSockets<A> {
    service: Service<A>,
    fds: ListenFds,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServiceTrait for OwnSockets<A> {
    async fn start_service(
        &mut self,
        _: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        self.service
            .start_service(Some(Arc::clone(&self.fds)), shutdown, listeners_per_fd)
            .await;
    }

    fn name(&self) -> &str {
        self.service.name()
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads
    }
}

/// Tells Pingora when to stop. Readiness goes first; the port stays open for the configured lag.
struct Signals {
    shared: Arc<Shared>,
    reread: Arc<Reread>,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let received = self.end().await;
        if let Err(error) = received {
            tracing::error!("cannot wait for signals, stopping: {error}");
        }
        self.shared.draining.store(true, Relaxed);
        tokio::spawn(cut_at_the_next(Arc::clone(&self.shared)));
        tokio::time::sleep(self.shared.settings().shutdown_lag).await;
        ShutdownSignal::GracefulTerminate
    }
}

/// Waits for a second signal, and ends the running requests then. Their records are still written.
async fn cut_at_the_next(shared: Arc<Shared>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let began = clock::now();
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if clock::now().saturating_duration_since(began) > ECHO {
            break;
        }
    }
    let in_flight = shared.in_flight.load(Relaxed);
    tracing::warn!(in_flight, "asked again: {in_flight} requests are cut");
    shared.cut.ask();
}

// === impl Signals ===

impl Signals {
    /// Waits for a signal that ends the process. SIGHUP does not: it brings a new configuration.
    async fn end(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = quit.recv() => return Ok(()),
                _ = hangup.recv() => {
                    let (shared, reread) = (Arc::clone(&self.shared), Arc::clone(&self.reread));
                    // One after the other: a later file must not be overtaken by an earlier one.
                    let reloaded = tokio::task::spawn_blocking(move || reload(&shared, &reread)).await;
                    if reloaded.is_err() {
                        tracing::error!("reading the configuration panicked; the old one stays");
                    }
                }
            }
        }
    }
}

fn wait_until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::park_timeout(Duration::from_millis(10));
    }
}
