//! A running `streamgauge up` for tests: started on free ports, asked over plain sockets, ended when dropped.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use simulator::wait_until;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longest wait for anything here: far longer than it takes, so that it ends a broken run only.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running supervisor.
#[derive(Debug)]
pub(crate) struct Up {
    process: Child,
    /// `host:port` of the inference port.
    pub(crate) proxy: String,
    /// `host:port` of the ops port.
    pub(crate) ops: String,
    /// `host:port` of the API.
    pub(crate) api: String,
    /// The lines of the start-up block.
    pub(crate) banner: Vec<String>,
    /// The URL of the ledger.
    pub(crate) ledger: String,
    log: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

// === impl Up ===

impl Up {
    /// Starts it with these arguments on free ports and waits for its start-up block. It reads its
    /// configuration again when it is told to, and not by itself, so that a test can count how often.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::begin(arguments, &[("STREAMGAUGE_PROXY__WATCH_CONFIG", "false")]).await
    }

    /// The same, as users have it: a configuration file that changes is read again.
    pub(crate) async fn watching(arguments: &[&str]) -> Self {
        Self::begin(arguments, &[]).await
    }

    async fn begin(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the ledger");
        let own = format!("sqlite://{}/a.db", folder.path().display());
        let given = arguments.windows(2).find(|pair| pair[0] == "--ledger");
        let ledger = given.map_or(own, |pair| pair[1].to_owned());
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
        command.arg("up").args(arguments).env_clear();
        command.envs(variables.iter().copied());
        if given.is_none() {
            command.args(["--ledger", &ledger]);
        }
        for flag in ["--listen", "--ops-listen", "--api-listen"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("the binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut errors = BufReader::new(process.stderr.take().expect("stderr is piped")).lines();
        let lines = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                lines.lock().expect("nobody panics with the log").push(line);
            }
        });
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let banner = timeout(DEADLINE, read_banner(stdout)).await;
        let banner = banner.unwrap_or_else(|_| panic!("no start-up block; its log: {log:#?}"));
        let address = |label: &str, after: &str| {
            let line = banner.iter().find(|line| line.trim_start().starts_with(label));
            let line = line.unwrap_or_else(|| panic!("no `{label}` in {banner:#?}; its log: {log:#?}"));
            let (_, rest) = line.split_once(after).expect("the line has an address");
            rest.trim_start()
                .split([' ', '/'])
                .next()
                .expect("split gives one part")
                .to_owned()
        };
        Self {
            proxy: address("proxy", "proxy"),
            ops: address("metrics", "alone: http://"),
            api: address("dashboard", "http://"),
            process,
            banner,
            ledger,
            log,
            _folder: folder,
        }
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("nobody panics with the log").clone()
    }

    /// Waits until a line of the log holds `words`.
    pub(crate) async fn logged(&self, words: &str) {
        let found = || self.log().iter().any(|line| line.contains(words));
        let waited = wait_until(&format!("the log line `{words}`"), DEADLINE, found).await;
        assert!(waited.is_ok(), "{waited:?}; its log: {:#?}", self.log());
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Its children by name, one id for each.
    pub(crate) fn children(&self) -> BTreeMap<String, u32> {
        children_of(self.pid())
    }

    /// The id of the proxy child.
    pub(crate) fn proxy_pid(&self) -> Option<u32> {
        self.children().get("proxy").copied()
    }

    /// Sends a signal to the supervisor.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(DEADLINE, self.process.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("it does not end; its log: {:#?}", self.log()))
            .expect("it can be waited for")
    }

    /// SIGTERM, and the exit status.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

async fn read_banner(stdout: BufReader<tokio::process::ChildStdout>) -> Vec<String> {
    let mut lines = stdout.lines();
    let (mut banner, mut wanted) = (Vec::new(), None);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(counts) = line.strip_prefix("  replicas   ") {
            let total = counts
                .split(' ')
                .nth(2)
                .and_then(|total| total.parse::<usize>().ok());
            wanted = Some(banner.len() + 1 + total.expect("`N of M answer`"));
        }
        banner.push(line);
        if wanted == Some(banner.len()) {
            // Kept open and read, or the supervisor would meet a closed pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            break;
        }
    }
    banner
}

/// The children of a process by the command they were started with.
pub(crate) fn children_of(parent: u32) -> BTreeMap<String, u32> {
    let mut children = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").expect("Linux has /proc").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if parent_of(&entry.path()) != Some(parent) {
            continue;
        }
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut arguments = command.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        if let Some(name) = arguments.nth(1) {
            children.insert(name.into_owned(), pid);
        }
    }
    children
}

/// The fourth field of `stat`, behind the name in brackets, is the parent; a zombie is no child any more.
fn parent_of(folder: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    fields.next()?.parse().ok().filter(|_| state != "Z")
}

/// Whether a process exists and is not a zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    parent_of(&Path::new("/proc").join(pid.to_string())).is_some()
}

/// Sends a signal to a process that exists.
pub(crate) fn send(pid: u32, signal: Signal) {
    let raw = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(raw, signal).expect("the process can be signalled");
}

/// Asks with HTTP/1.1 on a connection of its own and reads to its end: the whole answer as text.
pub(crate) async fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let conversation = async {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answered = timeout(DEADLINE, conversation).await;
    let answered = answered.unwrap_or_else(|_| panic!("no answer to {method} {path} at {address}"));
    answered.unwrap_or_else(|error| panic!("{method} {path} at {address}: {error}"))
}
