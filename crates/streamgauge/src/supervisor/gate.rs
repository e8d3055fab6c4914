//! The ops port while proxies come and go.
//!
//! Each proxy child serves its `/healthz`, `/readyz` and `/metrics` on a private loopback port. The
//! supervisor owns the public ops port and passes each connection on to the child that is current. So two
//! children can overlap during a replacement, each can be asked alone whether it is ready, and a scrape never
//! meets the one that leaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Connections that are passed on at once: a few scrapers and probes. More wait in the backlog.
const CONNECTIONS_MAX: usize = 64;

/// Time for a question that nobody is there to answer.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
/// Pause after a failed accept, so that a full file table does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Said while no proxy runs, so that a probe reads a plain no.
const NOBODY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Passes connections on until the process ends. `current` is the private address of the proxy that serves.
pub(super) async fn serve(listener: TcpListener, current: watch::Receiver<Option<SocketAddr>>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        // An error here is of one connection (reset before we took it) or of a full file table; the next may
        // work.
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let address = *current.borrow();
        tokio::spawn(async move {
            pass(client, address).await;
            drop(slot);
        });
    }
}

async fn pass(mut client: TcpStream, address: Option<SocketAddr>) {
    let child = match address {
        Some(address) => TcpStream::connect(address).await.ok(),
        None => None,
    };
    // Both ends are small HTTP conversations; an error means one side left, which needs no further word.
    match child {
        Some(mut child) => drop(copy_bidirectional(&mut client, &mut child).await),
        None => refuse(client).await,
    }
}

/// Reads the question before it answers: closing a socket with unread bytes would reset it and take the
/// answer away.
async fn refuse(mut client: TcpStream) {
    let mut head = [0; 4096];
    let conversation = async {
        let _ = client.read(&mut head).await?;
        client.write_all(NOBODY).await?;
        client.shutdown().await
    };
    let _ = timeout(REFUSAL_PATIENCE, conversation).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn a_connection_reaches_the_current_child_or_a_plain_no() {
        let (current, receiver) = watch::channel(None);
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = public.local_addr().unwrap();
        tokio::spawn(serve(public, receiver));
        assert!(
            answer(address).await.starts_with("HTTP/1.1 503"),
            "nobody is there yet"
        );

        let child = TcpListener::bind("127.0.0.1:0").await.unwrap();
        current.send_replace(Some(child.local_addr().unwrap()));
        let asked = tokio::spawn(answer(address));
        let (mut stream, _) = child.accept().await.unwrap();
        let mut head = [0; 64];
        let read = stream.read(&mut head).await.unwrap();
        assert!(
            head[..read].starts_with(b"GET /readyz"),
            "the request arrives unchanged"
        );
        stream.write_all(b"ready").await.unwrap();
        drop(stream);
        assert_eq!(asked.await.unwrap(), "ready");
    }
}
