//! Starts one child and waits until it serves.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use proxy::sockets::{Inherited, SOCKETS_ENV, SUCCESSOR_ENV, inheritable};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::child::{Child, Kind};
use super::lines::forward;
use super::probe::Probe;
use super::sockets::Sockets;
use crate::cli::LogOptions;
use crate::config::{Config, Secrets};
use crate::failure::Failure;

/// A child that does not serve after this long is given up. A cold disk and a large ledger's migration fit
/// in.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at a starting child.
const LOOK_INTERVAL: Duration = Duration::from_millis(30);

/// Everything that a start needs and that does not change between starts.
#[derive(Debug)]
pub(super) struct Launcher {
    executable: PathBuf,
    /// Readable by this user only; holds the children's configuration.
    folder: TempDir,
    sockets: Arc<Sockets>,
    log: LogOptions,
    probe: Probe,
    started: AtomicU32,
    /// Proxies started so far: each after the first may find the one before it still writing its last
    /// records.
    proxies: AtomicU32,
}

/// A child that serves.
#[derive(Debug)]
pub(super) struct Serving {
    /// The process.
    pub(super) child: Child,
    /// Where it alone answers `/healthz` and `/readyz`.
    pub(super) ops: SocketAddr,
}

// === impl Launcher ===

impl Launcher {
    /// Makes the private folder and remembers which file we are, so that a replaced binary is found at its
    /// place.
    ///
    /// # Errors
    /// When there is no such folder or file.
    pub(super) fn new(sockets: Arc<Sockets>, log: LogOptions) -> Result<Self> {
        Ok(Self {
            executable: std::env::current_exe().context("finding the program's own file")?,
            folder: private_folder().context("making a private folder for the children's configuration")?,
            sockets,
            log,
            probe: Probe::new(),
            started: AtomicU32::new(0),
            proxies: AtomicU32::new(0),
        })
    }

    /// The client that asks children and replicas.
    pub(super) const fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Starts a child and waits until it serves.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not serve in time; it is dead then.
    pub(super) async fn launch(&self, kind: Kind, config: &Config) -> Result<Serving, Failure> {
        let nth = self.started.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.path().join(format!("{kind}-{nth}.yaml"));
        let mut config = config.clone();
        let mut serving = match kind {
            Kind::Proxy => {
                let private = proxy::sockets::bind("127.0.0.1:0").context("binding the private ops port")?;
                let ops = private.local_addr().context("reading the private ops port")?;
                config.proxy.ops_listen = ops.to_string();
                Serving {
                    child: self.spawn_proxy(file, &config, &private)?,
                    ops,
                }
            }
            Kind::MetricsApi => {
                let listener = self.sockets.api.try_clone().context("copying the API's socket")?;
                let ops = reachable(config.metrics_api.listen);
                // The socket travels as the child's standard input: the one way to pass a socket on without
                // unsafe code and without a second process to talk to.
                let stdin = Stdio::from(OwnedFd::from(listener));
                let mut command = self.command(kind, &file, &config)?;
                command.arg("--inherited").stdin(stdin);
                Serving {
                    child: self.spawn(kind, file, &mut command)?,
                    ops,
                }
            }
        };
        let healthy = self.wait_until_healthy(serving.ops);
        tokio::select! {
            biased;
            (_, code) = serving.child.ended() => Err(Failure::Child { name: kind.name(), code }),
            served = timeout(START_PATIENCE, healthy) => match served {
                Ok(()) => Ok(serving),
                Err(_) => {
                    let seconds = START_PATIENCE.as_secs();
                    Err(anyhow!("{kind} did not answer /healthz within {seconds} s of its start").into())
                }
            },
        }
    }

    /// Gives a running proxy another configuration; `ops` is its private address, which stays.
    ///
    /// # Errors
    /// When its file cannot be written; it goes on with the old one then.
    pub(super) fn configure(&self, child: &Child, ops: SocketAddr, config: &Config) -> Result<()> {
        let mut config = config.clone();
        config.proxy.ops_listen = ops.to_string();
        let (file, new) = (child.file(), child.file().with_extension("new"));
        // One that a crash left half-written is of no use.
        let _absent = std::fs::remove_file(&new);
        write_private(&new, &config.to_yaml(Secrets::Shown))
            .and_then(|()| std::fs::rename(&new, file))
            .context("writing the proxy's new configuration")?;
        child.reread();
        Ok(())
    }

    /// Waits until the child at `ops` has a replica to send requests to, at most `patience`.
    pub(super) async fn wait_until_ready(&self, ops: SocketAddr, patience: Duration) -> bool {
        let ready = async {
            while !self.probe.is_ok(format!("http://{ops}/readyz")).await {
                sleep(LOOK_INTERVAL).await;
            }
        };
        timeout(patience, ready).await.is_ok()
    }

    async fn wait_until_healthy(&self, ops: SocketAddr) {
        while !self.probe.is_ok(format!("http://{ops}/healthz")).await {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// The proxy inherits its sockets by number, named in a variable.
    ///
    /// They are inheritable only during the spawn. Children are started by this one thread, so no other child
    /// can be born in between and take them along.
    fn spawn_proxy(&self, file: PathBuf, config: &Config, private: &TcpListener) -> Result<Child> {
        let mut named: Vec<(&str, &TcpListener)> = vec![(&config.proxy.ops_listen, private)];
        named.extend(
            self.sockets
                .proxy
                .iter()
                .map(|(name, listener)| (name.as_str(), listener)),
        );
        let mut command = self.command(Kind::Proxy, &file, config)?;
        command
            .env(SOCKETS_ENV, Inherited::list(named.iter().copied()))
            .stdin(Stdio::null());
        if self.proxies.fetch_add(1, Ordering::Relaxed) > 0 {
            command.env(SUCCESSOR_ENV, "1");
        }
        for (name, listener) in &named {
            inheritable(listener, true).with_context(|| format!("handing over the socket of {name}"))?;
        }
        let child = self.spawn(Kind::Proxy, file, &mut command);
        for (name, listener) in &named {
            inheritable(listener, false).with_context(|| format!("keeping the socket of {name}"))?;
        }
        child
    }

    fn command(&self, kind: Kind, file: &Path, config: &Config) -> Result<Command> {
        write_private(file, &config.to_yaml(Secrets::Shown)).context("writing a child's configuration")?;
        let mut command = Command::new(&self.executable);
        command
            .arg(kind.name())
            .arg("--config")
            .arg(file)
            .arg("--resolved");
        command.args(["--parent", &std::process::id().to_string()]);
        if let Some(format) = self.log.log_format.to_possible_value() {
            command.args(["--log-format", format.get_name()]);
        }
        if let Some(level) = &self.log.log_level {
            command.args(["--log-level", level]);
        }
        // Its own group: Ctrl-C in a terminal goes to us alone, and we decide in which order the children
        // leave.
        command.process_group(0).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    fn spawn(&self, kind: Kind, file: PathBuf, command: &mut Command) -> Result<Child> {
        let mut process = command
            .spawn()
            .with_context(|| format!("starting {}", self.executable.display()))?;
        if let Some(pipe) = process.stdout.take() {
            tokio::spawn(forward(pipe, kind.name(), self.log.log_format));
        }
        if let Some(pipe) = process.stderr.take() {
            tokio::spawn(forward(pipe, kind.name(), self.log.log_format));
        }
        Ok(Child::new(kind, file, process))
    }
}

/// Made private from the start, not afterwards: the umask would leave it open to everybody.
fn private_folder() -> std::io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("streamgauge-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
}

/// Secrets stand in it, so nobody else may read it, not even for a moment.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// The address at which a listener can be asked from this machine: `0.0.0.0` is no destination everywhere.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_configuration_is_for_this_user_only() {
        let folder = private_folder().unwrap();
        let path = folder.path().join("a.yaml");
        write_private(&path, "token: x\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(folder.path()), 0o700, "the folder is private as well");
    }

    #[test]
    fn an_unspecified_address_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
