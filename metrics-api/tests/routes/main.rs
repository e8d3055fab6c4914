//! The whole service over a fresh ledger: the real router, a fixed clock, one file per route.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, and clippy exempts only functions marked as such"
)]

mod breakdown;
mod documented;
mod facets;
mod guard;
mod live;
mod metrics;
mod openapi;
mod page;
mod records;
mod replicas;
mod requests;
mod serve;
mod service;
mod summary;
mod timeseries;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use metrics_api::{AppState, Clock, Settings};
use record::{MetricRecord, Pulse, UnixMillis};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-11-23T09:02:54.000Z: what every test's clock says.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_424_574_000);

/// Longest time that a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The service under test, and the folder with its ledger.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) state: AppState,
    folder: TempDir,
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

// === impl Service ===

impl Service {
    /// A service without a ledger.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A service without a ledger and with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder);
        change(&mut settings);
        let state = AppState::new(settings, Clock::from_fn(|| NOW)).unwrap();
        Self {
            router: metrics_api::router(state.clone()),
            state,
            folder,
        }
    }

    /// A service whose ledger holds the six requests of [`records::six`] and two pulses.
    pub(crate) async fn filled() -> Self {
        let service = Self::new();
        service.store(&records::six(), &records::pulses()).await;
        service
    }

    /// Writes records and pulses as a proxy does.
    pub(crate) async fn store(&self, records: &[MetricRecord], pulses: &[Pulse]) {
        let mut writer = ledger::Writer::open(&url(&self.folder)).await.unwrap();
        writer.append(records, pulses.first()).await.unwrap();
        for pulse in pulses.iter().skip(1) {
            writer.append(&[], Some(pulse)).await.unwrap();
        }
        writer.close().await.unwrap();
    }

    /// Puts any bytes where the ledger should be.
    pub(crate) fn put_ledger(&self, bytes: &[u8]) {
        std::fs::write(self.folder.path().join("ledger.db"), bytes).unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let answered = self.router.clone().oneshot(request);
        let response = tokio::time::timeout(DEADLINE, answered)
            .await
            .expect("the head of an answer came in time")
            .unwrap();
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect())
            .await
            .expect("the body of an answer came in time");
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and body, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let body = serde_json::from_str::<Value>(&self.text).map_or_else(
            |_| self.text.clone(),
            |json| serde_json::to_string_pretty(&json).unwrap(),
        );
        format!("{}\n{body}", self.status)
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("ledger.db").display())
}

pub(crate) fn settings(folder: &TempDir) -> Settings {
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ledger: url(folder),
        cors_origins: Vec::new(),
        token: None,
        proxy_url: "http://127.0.0.1:8001".to_owned(),
    }
}
