//! Small questions over HTTP: is a child ready, which models does a replica serve.
//!
//! The client blocks, so each question runs on tokio's blocking threads.

use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest list of models that is read, in bytes. vLLM's is under 1 KiB for each model.
const MODELS_LEN_MAX: u64 = 1 << 20;

/// Asks with one set of limits. Redirects and proxies from the environment are off: the answer must come from
/// the address that was asked.
#[derive(Clone, Debug)]
pub(super) struct Probe(Agent);

#[derive(Deserialize)]
struct Models {
    #[serde(default)]
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

// === impl Probe ===

impl Probe {
    /// A client without connections.
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(None)
            .tls_config(tls)
            .build();
        Self(config.new_agent())
    }

    /// Whether `url` answers with 200.
    pub(super) async fn is_ok(&self, url: String) -> bool {
        let agent = self.0.clone();
        let asked =
            tokio::task::spawn_blocking(move || agent.get(url).call().map(|answer| answer.status() == 200));
        matches!(asked.await, Ok(Ok(true)))
    }

    /// The models that the replica at `base` serves.
    ///
    /// # Errors
    /// Why it does not tell, in a few words.
    pub(super) async fn models(&self, base: &str, key: Option<&str>) -> Result<Vec<String>, String> {
        let mut request = self.0.get(format!("{base}/v1/models"));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let asked = tokio::task::spawn_blocking(move || {
            let mut answer = request.call().map_err(|error| plain(&error))?;
            if answer.status() != 200 {
                return Err(format!("answers {} to /v1/models", answer.status()));
            }
            let body = answer
                .body_mut()
                .with_config()
                .limit(MODELS_LEN_MAX)
                .read_to_string();
            let body = body.map_err(|error| plain(&error))?;
            let models: Models =
                serde_json::from_str(&body).map_err(|_| "answers no list of models".to_owned())?;
            Ok(models.data.into_iter().map(|model| model.id).collect())
        });
        asked
            .await
            .unwrap_or_else(|_| Err("could not be asked".to_owned()))
    }
}

/// The cause without the library's own words around it.
fn plain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        other => other.to_string().replace('\n', " "),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes.
    fn answering(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 2048];
            let _ = stream.read(&mut head).unwrap();
            stream.write_all(bytes).unwrap();
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn models_are_listed_and_refusals_are_short() {
        let probe = Probe::new();
        let body = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";
        assert_eq!(probe.models(&answering(body), None).await.unwrap(), ["a", "b"]);
        let denied = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        let refusal = probe.models(&answering(denied), Some("key")).await.unwrap_err();
        assert!(refusal.contains("401"), "{refusal}");
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refusal = probe.models(&format!("http://{nobody}"), None).await.unwrap_err();
        assert_eq!(refusal, "connection refused");
    }

    #[tokio::test]
    async fn only_a_200_is_ok() {
        let probe = Probe::new();
        assert!(
            probe
                .is_ok(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
                .await
        );
        assert!(
            !probe
                .is_ok(answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"))
                .await
        );
    }
}
