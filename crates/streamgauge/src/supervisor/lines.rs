//! Passes the children's lines on to our stderr, each with its child's name in front.

use std::io::Write;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::cli::LogFormat;

/// Longest line that is passed on in one piece. A longer one arrives in parts; nothing is lost.
const LINE_LEN_MAX: u64 = 64 * 1024;

/// Copies lines until the child closes its end. JSON lines go through as they are, so that each stays JSON.
pub(super) async fn forward(pipe: impl AsyncRead + Unpin, name: &'static str, format: LogFormat) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut pipe).take(LINE_LEN_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // One write for one line, so that the lines of two children cannot mix. A closed stderr is not the
        // child's fault: go on reading, or the child would block on a full pipe.
        let _ = std::io::stderr().lock().write_all(&labelled(&line, name, format));
    }
}

fn labelled(line: &[u8], name: &str, format: LogFormat) -> Vec<u8> {
    let mut labelled = match format {
        LogFormat::Text => format!("{name:<11} | ").into_bytes(),
        LogFormat::Json => Vec::new(),
    };
    labelled.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
    labelled.push(b'\n');
    labelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_gets_a_name_and_json_stays_json() {
        assert_eq!(
            labelled(b"started\n", "proxy", LogFormat::Text),
            b"proxy       | started\n"
        );
        assert_eq!(labelled(b"{\"a\":1}\n", "proxy", LogFormat::Json), b"{\"a\":1}\n");
        assert_eq!(
            labelled(b"\xff cut", "metrics-api", LogFormat::Text),
            b"metrics-api | \xff cut\n"
        );
    }
}
