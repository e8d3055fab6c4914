//! What the load generator is told.

use std::time::Duration;

use bytes::Bytes;

/// All settings of one run.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// The server: `http://host:port`.
    pub target: String,
    /// When the next request is sent.
    pub mode: Mode,
    /// What is sent.
    pub traffic: Traffic,
    /// Share of requests whose client leaves before the end, from 0 to 1.
    pub abort_rate: f64,
    /// Ends the run after this time; `None` runs until it is stopped.
    pub duration: Option<Duration>,
    /// Ends the run after so many requests; `None` sets no limit.
    pub requests_max: Option<u64>,
    /// Time for one request from its start to its last byte.
    pub timeout: Duration,
    /// How long a server may take to accept its first connection.
    pub patience: Duration,
    /// Whether [`crate::load::Summary::whole_ids`] is filled: about 40 bytes for each request.
    pub keep_ids: bool,
    /// Whether [`crate::load::Summary::times`] is filled: about 100 bytes for each request.
    pub keep_times: bool,
    /// Seed of every draw.
    pub seed: u64,
}

/// When the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// So many connections, each sends its next request when the last one has ended.
    Closed {
        /// How many.
        connections: usize,
    },
    /// Requests arrive at random, whatever the server does. Times count from the planned arrival.
    Open {
        /// Mean arrivals a second.
        rate: f64,
        /// Most requests at once; an arrival above it waits, and its wait counts.
        connections: usize,
        /// Whether the rate swings by a half over a minute and triples now and then for some seconds.
        bursts: bool,
    },
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Traffic {
    /// Several fake applications with their own prompts, keys, users and habits.
    Applications {
        /// Models to ask for in turn; empty asks the server which it has.
        models: Vec<String>,
        /// Share of the requests that stream, from 0 to 1; `None` leaves it to the applications.
        stream_share: Option<f64>,
        /// Share of requests that are wrong: an unknown model or broken JSON.
        mistake_rate: f64,
        /// Sent as `authorization: Bearer` in place of the applications' own keys.
        key: Option<String>,
    },
    /// The same body again and again: for measuring.
    Fixed {
        /// Where it is sent, such as `/v1/chat/completions`.
        path: String,
        /// The body.
        body: Bytes,
    },
}

// === impl LoadSettings ===

impl LoadSettings {
    /// Ten seconds of ten requests a second from the fake applications.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            mode: Mode::Open {
                rate: 10.0,
                connections: 256,
                bursts: false,
            },
            traffic: Traffic::Applications {
                models: Vec::new(),
                stream_share: None,
                mistake_rate: 0.0,
                key: None,
            },
            abort_rate: 0.0,
            duration: Some(Duration::from_secs(10)),
            requests_max: None,
            timeout: Duration::from_secs(600),
            patience: Duration::from_secs(30),
            keep_ids: false,
            keep_times: false,
            seed: 1,
        }
    }

    /// `host:port` of the target.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(crate) fn authority(&self) -> Result<String, String> {
        let target = &self.target;
        let rest = target
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{target}` must start with http://; TLS is not spoken here"))?;
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains('/') {
            return Err(format!("`{target}` must be http://host:port without a path"));
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_bad_ones_named() {
        let authority = |target: &str| LoadSettings::new(target).authority();
        assert_eq!(authority("http://127.0.0.1:8001").unwrap(), "127.0.0.1:8001");
        assert_eq!(authority("http://[::1]:8001/").unwrap(), "[::1]:8001");
        assert_eq!(authority("http://example").unwrap(), "example:80");
        for target in ["https://h:1", "h:1", "http://", "http://h:1/v1"] {
            assert!(
                authority(target).unwrap_err().contains(target),
                "{target} must be refused by name"
            );
        }
    }
}
