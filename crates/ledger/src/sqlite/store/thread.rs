//! The thread that owns the write connection. A call sends it one piece of work and waits for the answer: one
//! message for a whole batch, where a driver that sends each statement wakes two threads for each.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::file::FileWriter;
use crate::error::AppendError;

/// Works on the file, when its turn comes.
type Work = Box<dyn FnOnce(&mut FileWriter) + Send>;

/// How long a dropped writer waits for its thread. Usually that is idle, and closes the file at once; on a
/// disk that hangs, it keeps the file and its lock until the disk answers.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// The running thread. It ends, and lets go of the file, after its last piece of work.
#[derive(Debug)]
pub(super) struct FileThread {
    /// `None` at the end.
    work: Option<Sender<Work>>,
    /// Is disconnected when the file is closed.
    ended: Receiver<Infallible>,
}

/// Whether the caller still waits. Work that nobody waits for any more is not committed: the caller takes it
/// for not done, and may do it again.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a>(&'a dyn Fn() -> bool);

// === impl FileThread ===

impl FileThread {
    /// Starts a thread over a file.
    pub(super) fn start(mut file: FileWriter) -> std::io::Result<Self> {
        let (work, works) = channel::<Work>();
        let (ends, ended) = channel();
        thread::Builder::new()
            .name("ledger-sqlite".to_owned())
            .spawn(move || {
                for work in works {
                    work(&mut file);
                }
                // In this order: who waits for the end finds the lock free.
                drop(file);
                drop(ends);
            })?;
        let work = Some(work);
        Ok(Self { work, ended })
    }

    /// Does some work there. Dropped half-way, it is undone, unless it was committed already.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut FileWriter, Caller<'_>) -> T + Send + 'static,
    ) -> Result<T, AppendError> {
        let (reply, answer) = oneshot::channel();
        let work = move |file: &mut FileWriter| {
            if reply.is_closed() {
                return;
            }
            let done = work(file, Caller(&|| !reply.is_closed()));
            // Nobody may be waiting any more.
            let _ = reply.send(done);
        };
        if let Some(thread) = &self.work {
            // A thread that is gone drops its end of the reply, which the next line finds out.
            let _ = thread.send(Box::new(work));
        }
        answer.await.map_err(|_| AppendError::Ended)
    }
}

impl Drop for FileThread {
    fn drop(&mut self) {
        self.work = None;
        let _ = self.ended.recv_timeout(END_TIME_MAX);
    }
}

// === impl Caller ===

impl Caller<'_> {
    pub(super) fn waits(self) -> bool {
        (self.0)()
    }
}
