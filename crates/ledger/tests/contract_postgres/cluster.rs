//! A PostgreSQL server for a test binary: `scripts/postgres.sh` starts it with the first test that needs
//! it, and ends it when the process ends, by whatever death.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The running server. Its script lives as long as this process holds its standard input.
#[derive(Debug)]
pub(crate) struct Cluster {
    _script: Child,
    /// The folder of its socket.
    socket: String,
}

/// What the script says when PostgreSQL is not installed.
const NOT_INSTALLED: i32 = 77;

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();

// === impl Cluster ===

impl Cluster {
    /// The server of this process; `None`, and a word about it, without PostgreSQL.
    pub(crate) fn get() -> Option<&'static Self> {
        CLUSTER.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
        let mut script = Command::new(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/postgres.sh can be run");
        let mut socket = String::new();
        // The script gives up by itself after 30 s.
        BufReader::new(script.stdout.take().expect("stdout is piped"))
            .read_line(&mut socket)
            .expect("it writes a line or ends");
        if socket.is_empty() {
            let status = script.wait().expect("it has ended");
            assert_eq!(status.code(), Some(NOT_INSTALLED), "the server did not start");
            let _ = writeln!(std::io::stderr(), "SKIPPED: these tests need PostgreSQL");
            return None;
        }
        Some(Self {
            _script: script,
            socket: socket.trim().to_owned(),
        })
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://streamgauge@localhost/{database}?host={}", self.socket)
    }
}
