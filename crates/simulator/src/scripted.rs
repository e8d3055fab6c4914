//! An upstream that plays fixed bytes: for tests like "what the client got equals what was sent".

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock;
use crate::stats::{Counter, Gauge, WaitError, wait_until};
use crate::wire::{Gone, Received, Wire};

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes these bytes as they are, head and framing included.
    Send(Bytes),
    /// Waits so long.
    Pause(Duration),
    /// Waits until the test notifies. `notify_one` before the wait counts too.
    Await(Arc<Notify>),
    /// Waits until the client leaves; the rest of the script is not played.
    UntilGone,
    /// Closes the connection. A script that ends without this keeps it for the next request.
    Close,
    /// Closes the connection with a TCP reset.
    Reset,
}

/// An upstream on a port of its own that answers the n-th request with the n-th script, and every later one
/// with the last. Dropping it closes everything.
#[derive(Debug)]
pub struct Scripted {
    addr: SocketAddr,
    stage: Arc<Stage>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Stage {
    scripts: Vec<Vec<Step>>,
    reads_request: bool,
    next: AtomicUsize,
    received: Mutex<Vec<Received>>,
    connections: Counter,
    open: Gauge,
    departures: Counter,
}

/// What a probe is answered with: those of whoever is under test play no script and are not recorded.
const PROBED: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// What stands before a stored response, whose GET is a client's.
const STORED: &str = "/v1/responses/";

/// How long an unused connection is kept: longer than any test runs.
const KEEP_ALIVE: Duration = Duration::from_secs(600);

// === impl Step ===

impl Step {
    /// A script that sends `bytes` in pieces of `len` bytes, one write each.
    #[must_use]
    pub fn pieces(bytes: &Bytes, len: usize) -> Vec<Self> {
        let len = len.max(1);
        (0..bytes.len())
            .step_by(len)
            .map(|from| Self::Send(bytes.slice(from..(from + len).min(bytes.len()))))
            .collect()
    }

    /// A script that sends `bytes` cut at the given offsets, one write each. Offsets out of range are left
    /// out.
    #[must_use]
    pub fn cut_at(bytes: &Bytes, offsets: &[usize]) -> Vec<Self> {
        let mut offsets: Vec<usize> = offsets
            .iter()
            .copied()
            .filter(|at| (1..bytes.len()).contains(at))
            .collect();
        offsets.push(bytes.len());
        offsets.sort_unstable();
        offsets.dedup();
        let mut from = 0;
        offsets
            .into_iter()
            .map(|to| {
                let piece = bytes.slice(from..to);
                from = to;
                Self::Send(piece)
            })
            .collect()
    }
}

// === impl Scripted ===

impl Scripted {
    /// Starts an upstream that reads a request whole before it plays the next script. A GET, such as a health
    /// probe, is answered with an empty 404, plays no script and is not recorded, unless a stored response is
    /// asked for.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn start(scripts: Vec<Vec<Step>>) -> io::Result<Self> {
        Self::begin(scripts, true).await
    }

    /// Starts an upstream that plays a script for each connection, at once and without reading a byte; the
    /// connection ends with the script.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn start_on_connect(scripts: Vec<Vec<Step>>) -> io::Result<Self> {
        Self::begin(scripts, false).await
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// All requests read so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.stage
            .received
            .lock()
            .map_or_else(|_| Vec::new(), |received| received.clone())
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.stage.connections.get()
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.stage.open.get()
    }

    /// Clients that left before the end of their script.
    #[must_use]
    pub fn departures(&self) -> u64 {
        self.stage.departures.get()
    }

    /// Waits until `condition` holds.
    ///
    /// # Errors
    /// After `deadline`, an error that says what was waited for.
    pub async fn wait_until(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Self) -> bool,
    ) -> Result<(), WaitError> {
        wait_until(what, deadline, || condition(self)).await
    }

    async fn begin(scripts: Vec<Vec<Step>>, reads_request: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let stage = Arc::new(Stage {
            scripts,
            reads_request,
            next: AtomicUsize::new(0),
            received: Mutex::new(Vec::new()),
            connections: Counter::default(),
            open: Gauge::default(),
            departures: Counter::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&stage)));
        Ok(Self { addr, stage, task })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Stage ===

impl Stage {
    /// The script whose turn it is; an upstream without scripts closes every connection.
    fn next_script(&self) -> &[Step] {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.scripts
            .get(turn)
            .or(self.scripts.last())
            .map_or(&[Step::Close], Vec::as_slice)
    }

    async fn serve(&self, stream: TcpStream) {
        self.connections.add(1);
        let _open = self.open.hold(1);
        let mut wire = Wire::new(stream);
        loop {
            if self.reads_request {
                let Ok(request) = wire.read_request(KEEP_ALIVE).await else {
                    return;
                };
                if request.method() == "GET" && !request.target().starts_with(STORED) {
                    if wire.send(PROBED).await.is_err() {
                        return;
                    }
                    continue;
                }
                if let Ok(mut received) = self.received.lock() {
                    received.push(request);
                }
            }
            match play(&mut wire, self.next_script()).await {
                Ok(true) if self.reads_request => {}
                Ok(_) => return,
                Err(Gone) => {
                    self.departures.add(1);
                    return;
                }
            }
        }
    }
}

/// Plays one script. `Ok(true)` keeps the connection.
async fn play(wire: &mut Wire, script: &[Step]) -> Result<bool, Gone> {
    for step in script {
        match step {
            Step::Send(bytes) => {
                wire.send(bytes).await?;
                // Lets the reader run, so that pieces arrive one by one more often than not.
                tokio::task::yield_now().await;
            }
            Step::Pause(span) => wire.pause_until(clock::now() + *span).await?,
            Step::Await(notify) => wire.watch(notify.notified()).await?,
            Step::UntilGone => {
                wire.until_gone().await;
                return Err(Gone);
            }
            Step::Close => return Ok(false),
            Step::Reset => {
                // Without the option the close is an ordinary one; there is nothing better to do.
                let _ = wire.reset_on_close();
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn accept(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let stage = Arc::clone(&stage);
                    connections.spawn(async move { stage.serve(stream).await });
                }
                // Out of file descriptors: wait for some to come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
