//! The two processes that `up` supervises; each also runs alone.

use std::net::TcpListener;
use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow, ensure};
use proxy::Readers;
use proxy::sockets::{Inherited, SOCKETS_ENV, SUCCESSOR_ENV};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{ApiOptions, ChildOptions};
use crate::config::{Config, Environment, Problems, load, load_resolved, replicas_in};
use crate::failure::Failure;
use crate::preflight::{self, API_LISTEN, LISTEN, OPS_LISTEN, Setting};
use crate::watch::Watched;

/// Runs the proxy until a signal ends it; SIGHUP reads the configuration again. Blocks.
///
/// # Errors
/// When it cannot start.
pub(crate) fn proxy(options: &ChildOptions, env: &Environment) -> Result<(), Failure> {
    if let Some(parent) = options.parent {
        die_with(parent)?;
    }
    // A child's file is the supervisor's to watch.
    let path = options.options.config.as_deref().filter(|_| !options.resolved);
    let watched = path.map(Watched::new);
    let config = configuration(options, env)?;
    let watched = watched.filter(|_| config.watch);
    let mut settings = config.proxy_settings();
    if options.parent.is_some() {
        let sockets = env.get(SOCKETS_ENV).and_then(Inherited::parse);
        settings.inherited = sockets.context("reading the list of the supervisor's sockets")?;
        settings.successor = env.get(SUCCESSOR_ENV).is_some();
    } else {
        for address in &settings.listen {
            must_be_free(address, LISTEN)?;
        }
        must_be_free(&settings.ops_listen, OPS_LISTEN)?;
    }
    preflight::ledger(&settings.ledger)?;
    let (options, env) = (options.clone(), env.clone());
    let complaints = |problems: Problems| problems.0.iter().map(ToString::to_string).collect();
    let reread = move || {
        let config = configuration(&options, &env).map_err(complaints)?;
        Ok(config.proxy_settings())
    };
    let readers = Readers {
        config: Box::new(reread),
        replicas: Box::new(move |path, text| replicas_in(path, text).map_err(complaints)),
    };
    if let Some(watched) = watched {
        watched.signal_changes()?;
    }
    Ok(proxy::run(settings, readers)?)
}

/// Runs the metrics API until a signal ends it. Blocks.
///
/// # Errors
/// When it cannot start.
pub(crate) fn metrics_api(options: &ApiOptions, env: &Environment) -> Result<(), Failure> {
    if let Some(parent) = options.child.parent {
        die_with(parent)?;
    }
    let settings = configuration(&options.child, env)?.metrics_api_settings();
    let listener = if options.inherited {
        inherited().context("taking over the socket of the supervisor")?
    } else {
        preflight::bind(&settings.listen.to_string(), API_LISTEN)?
    };
    preflight::ledger(&settings.ledger)?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    Ok(runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).context("serving the API's port")?;
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        metrics_api::serve(listener, settings, metrics_api::Clock::system(), stop).await
    })?)
}

fn configuration(options: &ChildOptions, env: &Environment) -> Result<Config, Problems> {
    let path = options.options.config.as_deref();
    match (options.resolved, path) {
        (true, Some(path)) => load_resolved(path),
        _ => load(path, env, &options.options.flags()),
    }
}

/// A child without its supervisor would keep the port and never be restarted: it drains when the supervisor
/// is gone.
fn die_with(parent: u32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))
        .context("asking to be told of the supervisor's end")?;
    // The supervisor may have died before the line above; then nobody will tell.
    let alive = getppid()
        .map(Pid::as_raw_nonzero)
        .is_some_and(|pid| u32::try_from(pid.get()) == Ok(parent));
    ensure!(alive, "the supervisor is gone");
    Ok(())
}

/// Libraries say only "address in use"; this says it with the key. The port may still be taken in between;
/// then the library's words have to do.
fn must_be_free(address: &str, setting: Setting) -> Result<()> {
    preflight::bind(address, setting).map(drop)
}

/// The listening socket that the supervisor put in the place of our standard input.
fn inherited() -> Result<TcpListener> {
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    listener
        .local_addr()
        .map_err(|_| anyhow!("standard input is not a listening socket"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
