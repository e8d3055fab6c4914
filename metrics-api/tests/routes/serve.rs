//! Listening and stopping, over real sockets.

use metrics_api::{Clock, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::{DEADLINE, NOW, settings};

/// Reads until `text` has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            let count = stream.read_buf(&mut read).await.unwrap();
            assert!(count > 0, "the connection ended before `{text}` came");
        }
    };
    tokio::time::timeout(DEADLINE, reading)
        .await
        .unwrap_or_else(|_| panic!("`{text}` came in time"));
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_stop_ends_event_streams_and_then_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = tokio::spawn(serve(
        listener,
        settings(&folder),
        Clock::from_fn(|| NOW),
        async {
            stopped.await.unwrap();
        },
    ));
    let mut watcher = TcpStream::connect(address).await.unwrap();
    watcher
        .write_all(b"GET /api/v1/live HTTP/1.1\r\nhost: test\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut watcher, "event: live").await;

    stop.send(()).unwrap();
    let ended = tokio::time::timeout(DEADLINE, service)
        .await
        .expect("the service ended in time");
    ended.unwrap().expect("it ended in good order");
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, watcher.read_to_end(&mut rest))
        .await
        .expect("the stream ended")
        .unwrap();
    assert!(
        rest.ends_with(b"0\r\n\r\n"),
        "the stream ended whole: {}",
        String::from_utf8_lossy(&rest)
    );
}

#[tokio::test]
async fn an_address_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder);
    settings.listen = address;
    let refused = tokio::time::timeout(DEADLINE, metrics_api::run(settings)).await;
    let message = format!("{:#}", refused.expect("it gave up at once").unwrap_err());
    assert_eq!(
        message.replace(&address.to_string(), "ADDRESS"),
        "cannot listen on ADDRESS: another process uses it; stop that one, or set `metrics_api.listen` or \
         --api-listen"
    );
}

#[tokio::test]
async fn a_ledger_that_we_cannot_read_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder);
    settings.ledger = "mysql://host/database".to_owned();
    let refused = tokio::time::timeout(DEADLINE, metrics_api::run(settings)).await;
    let message = format!("{:#}", refused.expect("it gave up at once").unwrap_err());
    assert!(
        message.starts_with("`mysql://host/database` is not a ledger URL; "),
        "{message}"
    );
}
