//! Listening sockets that outlive a process: bound by the supervisor, inherited by each proxy it starts.
//!
//! The supervisor never accepts. A connection that arrives while no proxy is there waits in the socket's
//! backlog, so a crashed or replaced proxy loses no waiting client:
//! `docs/adr/0001-two-processes-one-binary.md`.
//!
//! ```text
//! supervisor                                  child
//! let socket = bind("0.0.0.0:8001")?;
//! inheritable(&socket, true)?;
//! spawn with STREAMGAUGE_SOCKETS=Inherited::list(..)   Inherited::parse(&value)
//! inheritable(&socket, false)?;               -> Settings::inherited
//! ```

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::AsRawFd;

use rustix::io::{FdFlags, fcntl_setfd};
use socket2::{Domain, Protocol, Socket, Type};

/// The environment variable that carries [`Inherited::list`].
pub const SOCKETS_ENV: &str = "STREAMGAUGE_SOCKETS";

/// Set for a proxy that takes over from another one of the same supervisor: see `Settings::successor`.
pub const SUCCESSOR_ENV: &str = "STREAMGAUGE_SUCCESSOR";

/// Waiting connections that the kernel keeps for us. Why this number: Pingora's own; the kernel caps it at
/// `somaxconn`.
const BACKLOG: i32 = 65_535;

/// A listening socket that this process was started with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inherited {
    /// The address as the configuration writes it.
    pub bind: String,
    /// Its file descriptor in this process.
    pub fd: i32,
}

// === impl Inherited ===

impl Inherited {
    /// What the environment variable says about `sockets`: `0.0.0.0:8001=7 127.0.0.1:8003=8`.
    pub fn list<'a>(sockets: impl IntoIterator<Item = (&'a str, &'a TcpListener)>) -> String {
        let entries: Vec<_> = sockets
            .into_iter()
            .map(|(bind, socket)| format!("{bind}={}", socket.as_raw_fd()))
            .collect();
        entries.join(" ")
    }

    /// Reads the environment variable; `None` when it is not in that form.
    #[must_use]
    pub fn parse(value: &str) -> Option<Vec<Self>> {
        value
            .split_ascii_whitespace()
            .map(|entry| {
                let (bind, fd) = entry.rsplit_once('=')?;
                Some(Self {
                    bind: bind.to_owned(),
                    fd: fd.parse().ok().filter(|fd| *fd > 2)?,
                })
            })
            .collect()
    }
}

/// Binds an address (`host:port`, port 0 for any free one) and listens, without accepting yet. The socket
/// does not block and is not inherited by child processes until [`inheritable`] says so.
///
/// # Errors
/// When the address cannot be read, is in use, or may not be bound.
pub fn bind(address: &str) -> io::Result<TcpListener> {
    let resolved = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the address names no host"))?;
    let socket = Socket::new(Domain::for_address(resolved), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&resolved.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets child processes that start from now on inherit the socket, or not.
///
/// # Errors
/// When the kernel refuses, which it does only for a closed socket.
pub fn inheritable(socket: &TcpListener, yes: bool) -> io::Result<()> {
    let flags = if yes { FdFlags::empty() } else { FdFlags::CLOEXEC };
    Ok(fcntl_setfd(socket, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_sockets_reads_back() {
        let (left, right) = (bind("127.0.0.1:0").unwrap(), bind("[::1]:0").unwrap());
        let list = Inherited::list([("127.0.0.1:8001", &left), ("[::1]:8003", &right)]);
        let read = Inherited::parse(&list).unwrap();
        assert_eq!(
            read[0],
            Inherited {
                bind: "127.0.0.1:8001".to_owned(),
                fd: left.as_raw_fd()
            }
        );
        assert_eq!(read[1].bind, "[::1]:8003");
        assert_eq!(Inherited::parse("").unwrap(), []);
        for nonsense in ["x", "a=b", "a=1", "a=-4"] {
            assert_eq!(Inherited::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let first = bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap().to_string();
        assert_eq!(bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_socket_is_inherited_only_when_it_is_said() {
        let socket = bind("127.0.0.1:0").unwrap();
        let inherited = || {
            let flags = rustix::io::fcntl_getfd(&socket).unwrap();
            !flags.contains(FdFlags::CLOEXEC)
        };
        assert!(!inherited(), "not at first");
        inheritable(&socket, true).unwrap();
        assert!(inherited(), "then it is");
        inheritable(&socket, false).unwrap();
        assert!(!inherited(), "and no longer");
    }
}
