//! One child process: its signals, its end, its age.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child as Process;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock;

/// Which of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The data path.
    Proxy,
    /// API, dashboard, `/metrics`.
    MetricsApi,
}

/// How far the supervisor is with its own end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Children are kept alive.
    Running,
    /// Children are asked to finish and are waited for.
    Draining,
    /// Asked a second time: children are stopped at once.
    Cutting,
}

/// How long a child has after being told to stop at once, before it is killed: enough to flush its records.
const CUT_PATIENCE: Duration = Duration::from_secs(3);

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    kind: Kind,
    /// Its configuration.
    file: PathBuf,
    process: Process,
    born: Instant,
}

// === impl Kind ===

impl Kind {
    /// The command of the child and its name in front of its lines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::MetricsApi => "metrics-api",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Child ===

impl Child {
    /// Takes over a process that was just started.
    pub(super) fn new(kind: Kind, file: PathBuf, process: Process) -> Self {
        Self {
            kind,
            file,
            process,
            born: clock::now(),
        }
    }

    /// Its process id; `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Where its configuration stands.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Tells it to read its configuration again.
    pub(super) fn reread(&self) {
        self.signal(Signal::HUP);
    }

    /// How long it has lived.
    pub(super) fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.born)
    }

    /// Waits for its end, in words for the log and with its exit code. May be called again.
    pub(super) async fn ended(&mut self) -> (String, Option<i32>) {
        match self.process.wait().await {
            Ok(status) => (describe(status), status.code()),
            Err(error) => (format!("could not be waited for: {error}"), None),
        }
    }

    /// Asks it to finish and waits up to `patience`; a second request of the user, or the end of the
    /// patience, stops it harder. Returns when it is gone.
    pub(super) async fn stop(mut self, patience: Duration, mut stage: watch::Receiver<Stage>) {
        self.signal(Signal::TERM);
        let cut = async {
            // A closed channel means that the supervisor itself is going: no second request will come.
            if stage.wait_for(|stage| *stage == Stage::Cutting).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = self.process.wait() => return,
            () = cut => self.signal(Signal::INT),
            () = tokio::time::sleep(patience) => {
                let seconds = patience.as_secs();
                tracing::warn!(child = %self.kind, seconds, "{} takes over {seconds} s", self.kind);
                self.signal(Signal::INT);
            }
        }
        if timeout(CUT_PATIENCE, self.process.wait()).await.is_err() {
            let kind = self.kind;
            tracing::error!(child = %kind, "{kind} had to be killed; its last records may be lost");
            self.signal(Signal::KILL);
            let _ = self.process.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        // No id means that it has been waited for, so the number may belong to somebody else by now.
        let pid = self
            .process
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Waits until children are no longer to be kept alive; a supervisor that is gone keeps nobody.
pub(super) async fn end_of_running(stage: &mut watch::Receiver<Stage>) {
    let _ = stage.wait_for(|stage| *stage != Stage::Running).await;
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::process::Command;

    use super::*;

    /// A shell that ignores SIGTERM and has said so.
    async fn stubborn() -> Child {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap '' TERM; echo ready; while :; do read -r line || sleep 60; done",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(Duration::from_secs(10), lines.next_line())
            .await
            .expect("the shell says ready");
        assert_eq!(line.unwrap().as_deref(), Some("ready"));
        Child::new(Kind::Proxy, PathBuf::new(), process)
    }

    #[tokio::test]
    async fn a_child_that_ignores_the_first_signal_gets_a_harder_one() {
        let (_stage, receiver) = watch::channel(Stage::Draining);
        let stopped = stubborn().await.stop(Duration::from_millis(10), receiver);
        timeout(Duration::from_secs(20), stopped)
            .await
            .expect("SIGINT or SIGKILL must end it");
    }

    #[tokio::test]
    async fn a_second_request_ends_the_patience() {
        let (stage, receiver) = watch::channel(Stage::Draining);
        let stopped = stubborn().await.stop(Duration::from_secs(3600), receiver);
        stage.send_replace(Stage::Cutting);
        timeout(Duration::from_secs(20), stopped)
            .await
            .expect("it must not wait for an hour");
    }
}
