//! The listener of one replica: starting, refusing, stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock;
use crate::fault::Fault;
use crate::replica::Replica;
use crate::routes;
use crate::settings::Settings;
use crate::stats::{Stats, WaitError, wait_until};
use crate::wire::Received;

/// One simulated replica on one port. Dropping it closes the port and every connection; [`Simulator::stop`]
/// also waits until that has happened.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use simulator::{Settings, Simulator};
/// let replica = Simulator::start(Settings::default()).await.unwrap();
/// assert!(replica.url().starts_with("http://127.0.0.1:"));
/// replica.stop().await;
/// # });
/// ```
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    replica: Arc<Replica>,
    wanted: watch::Sender<Door>,
    actual: watch::Receiver<Door>,
    task: JoinHandle<()>,
}

/// What happens to a client that connects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Door {
    /// It is served.
    Open,
    /// The kernel takes it, nobody answers.
    Unattended,
    /// It is refused: nothing listens.
    Closed,
}

// === impl Simulator ===

impl Simulator {
    /// Opens the port and serves it on the current runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let replica = Arc::new(Replica::new(settings, clock::unix_seconds()));
        let (wanted, orders) = watch::channel(Door::Open);
        let (report, actual) = watch::channel(Door::Open);
        let task = tokio::spawn(accept(listener, addr, Arc::clone(&replica), orders, report));
        Ok(Self {
            addr,
            replica,
            wanted,
            actual,
            task,
        })
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.replica.stats
    }

    /// The latest requests, oldest first, as many as [`Settings::capture`] keeps.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.replica.captured()
    }

    /// Makes every request from now on suffer these faults; an empty list ends it.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.replica.set_faults(faults);
    }

    /// Makes `/health` answer 200 or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.replica.set_healthy(healthy);
    }

    /// Forgets all prompt prefixes, as a restart does.
    pub fn clear_prefix_cache(&self) {
        self.replica.clear_cache();
    }

    /// Closes the port, so that clients are refused; open connections go on. Returns when the port is closed.
    pub async fn refuse_connections(&self) {
        self.move_door(Door::Closed).await;
    }

    /// Lets clients connect without ever answering them; open connections go on.
    pub async fn ignore_connections(&self) {
        self.move_door(Door::Unattended).await;
    }

    /// Accepts again, on the same port. Returns when the port is open.
    pub async fn accept_connections(&self) {
        self.move_door(Door::Open).await;
    }

    /// Waits until `condition` holds for the counters.
    ///
    /// # Errors
    /// After `deadline`, an error that says what was waited for.
    pub async fn wait_until(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Stats) -> bool,
    ) -> Result<(), WaitError> {
        wait_until(what, deadline, || condition(self.stats())).await
    }

    /// Closes the port and every connection, and waits until that is done.
    pub async fn stop(mut self) {
        self.task.abort();
        // The only error is the cancellation that was asked for a line above.
        let _ = (&mut self.task).await;
    }

    async fn move_door(&self, door: Door) {
        // Both sends fail only when the accepting task is gone, and then there is no door to move.
        let _ = self.wanted.send(door);
        let _ = self.actual.clone().wait_for(|actual| *actual == door).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections and owns their tasks, so that all of them end with this one.
async fn accept(
    listener: TcpListener,
    addr: SocketAddr,
    replica: Arc<Replica>,
    mut orders: watch::Receiver<Door>,
    report: watch::Sender<Door>,
) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let wanted = *orders.borrow_and_update();
        match wanted {
            Door::Closed => listener = None,
            Door::Open | Door::Unattended if listener.is_none() => match TcpListener::bind(addr).await {
                Ok(bound) => listener = Some(bound),
                Err(error) => {
                    tracing::warn!(%addr, %error, "the replica {addr} cannot open its port again: {error}");
                    // Somebody else holds the port for now; a short wait keeps this from spinning.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            Door::Open | Door::Unattended => {}
        }
        report.send_replace(wanted);
        let next = async {
            match (&listener, wanted) {
                (Some(listener), Door::Open) => listener.accept().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            accepted = next => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(routes::serve(Arc::clone(&replica), stream));
                }
                // Out of file descriptors: wait for some to come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
