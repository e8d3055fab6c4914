//! Listening, and stopping in good order.

use std::io;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::router::router;
use crate::settings::Settings;
use crate::state::AppState;

/// How long answers may take to end after a signal. Why this number: a query may take 5 s, and supervisors
/// kill after 10 s at the earliest.
const GRACE: Duration = Duration::from_secs(8);

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// When the address cannot be listened on, or the ledger's URL is none that we can read.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let address = settings.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {address}: {}", fix(&error)))?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(listener, settings, Clock::system(), stop).await
}

/// Runs the service on a socket that is open already, until `stop` completes.
///
/// # Errors
/// When the ledger's URL is none that we can read.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    clock: Clock,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let address = listener
        .local_addr()
        .context("reading the address of the socket")?;
    let ledger = ledger::masked_url(&settings.ledger);
    let state = AppState::new(settings, clock)?;
    let router = router(state.clone());
    tracing::info!(%address, ledger, "metrics API listens on http://{address}");
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("metrics API stops");
        state.stop();
        // The receiver is gone only when the service has ended by itself.
        let _ = stopping.send(());
    });
    let overdue = async {
        // A sender that is gone without a word means that the service has ended, and the other branch wins.
        if stopped.await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = service => ended.context("serving the metrics API"),
        () = overdue => {
            tracing::warn!("some connections did not end within {} s and are cut", GRACE.as_secs());
            Ok(())
        }
    }
}

/// What is wrong with an address, and what to do about it.
fn fix(error: &io::Error) -> String {
    let key = "`metrics_api.listen` or --api-listen";
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("another process uses it; stop that one, or set {key}"),
        io::ErrorKind::PermissionDenied => format!("not permitted; take a port from 1024 up with {key}"),
        io::ErrorKind::AddrNotAvailable => format!("this machine has no such address; set {key}"),
        _ => format!("{error}; set {key}"),
    }
}
