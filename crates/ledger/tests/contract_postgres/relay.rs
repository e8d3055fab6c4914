//! A way to the server that can be cut at the worst moment: after a COMMIT was done, before its answer is
//! through.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Passes connections on, on a port of its own.
pub(crate) struct Relay {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Relay {
    /// In front of the server whose socket is at `path`.
    pub(crate) fn new(path: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        let armed = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, path, armed) = (client.unwrap(), path.clone(), Arc::clone(&armed));
                thread::spawn(move || pass(&client, &UnixStream::connect(path).unwrap(), &armed));
            }
        });
        Self { port, cut }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// From now on, the answer to the next COMMIT does not come through, and its connection ends.
    pub(crate) fn cut_next_commit(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

/// Passes everything both ways until one side ends, or the cut.
fn pass(client: &TcpStream, server: &UnixStream, cut: &AtomicBool) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let upstream = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    let mut buffer = vec![0_u8; 1 << 16];
    while let Ok(len) = from.read(&mut buffer) {
        let answer = &buffer[..len];
        // The tag of a finished COMMIT; its answer is too short to come in two parts.
        let committed = answer.windows(7).any(|part| part == b"COMMIT\0");
        if len == 0 || (committed && cut.swap(false, Ordering::SeqCst)) || to.write_all(answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    let _ = upstream.join();
}
