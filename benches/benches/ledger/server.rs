//! A PostgreSQL server of the bench's own, which syncs to the disk: `scripts/postgres.sh` starts it, and ends
//! it with this process.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running server.
pub(crate) struct Server {
    _script: Child,
    socket: String,
    port: u16,
}

// === impl Server ===

impl Server {
    /// Starts it; `None` without PostgreSQL.
    pub(crate) fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut script = Command::new(script)
            .args(["--durable", "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut socket = String::new();
        BufReader::new(script.stdout.take().unwrap())
            .read_line(&mut socket)
            .unwrap();
        (!socket.is_empty()).then(|| Self {
            _script: script,
            socket: socket.trim().to_owned(),
            port,
        })
    }

    /// The ledger in it, over the socket of the machine.
    pub(crate) fn url(&self) -> String {
        let Self { socket, port, .. } = self;
        format!("postgres://streamgauge@localhost:{port}/postgres?host={socket}")
    }

    /// The ledger in it, over the network.
    pub(crate) fn url_tcp(&self) -> String {
        format!(
            "postgres://streamgauge@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }
}
