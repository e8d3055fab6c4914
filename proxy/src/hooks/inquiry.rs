//! Our own GETs to a replica: its probe, its models, its metrics.

use std::time::Duration;

use http::header;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::prelude::{Error, ErrorType, HttpPeer};
use tokio::time::timeout;

use crate::fleet::Pool;
use crate::replicas::Replica;

/// Asks one replica. Its connection is kept between questions where the question says so.
pub(super) struct Inquirer(Connector<()>);

/// A question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    /// Time for everything, from the connection to the last byte.
    pub(super) limit: Duration,
    /// Bytes of the answer's body that are read.
    pub(super) len_max: usize,
    /// How long the connection is kept for the next question; `None` closes it.
    pub(super) keep: Option<Duration>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nobody listens there.
    Refused,
    /// Nothing came in time.
    Silent,
    /// Not HTTP, broken off, or too long.
    Unclear(String),
}

// === impl Inquirer ===

impl Inquirer {
    pub(super) fn new() -> Self {
        Self(Connector::new(None))
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(
        &self,
        pool: &Pool,
        replica: &Replica,
        question: Question<'_>,
    ) -> Result<Answer, NoAnswer> {
        let Some(address) = replica.address() else {
            return Err(NoAnswer::Unclear("its name is not resolved".to_owned()));
        };
        let mut peer = HttpPeer::new(address, replica.tls, replica.host.clone());
        peer.options.connection_timeout = Some(pool.settings.timeouts.connect);
        let asking = self.converse(&peer, pool, replica, question);
        match timeout(question.limit, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(NoAnswer::of(&error)),
            Err(_) => Err(NoAnswer::Silent),
        }
    }

    async fn converse(
        &self,
        peer: &HttpPeer,
        pool: &Pool,
        replica: &Replica,
        question: Question<'_>,
    ) -> pingora::Result<Answer> {
        let (mut session, _) = self.0.get_http_session(peer).await?;
        let mut head = RequestHeader::build("GET", question.path.as_bytes(), Some(4))?;
        head.insert_header(header::HOST, &*replica.name)?;
        head.insert_header(
            header::USER_AGENT,
            concat!("streamgauge/", env!("CARGO_PKG_VERSION")),
        )?;
        if question.keep.is_none() {
            head.insert_header(header::CONNECTION, "close")?;
        }
        if let Some(key) = &pool.settings.upstream_key {
            head.insert_header(header::AUTHORIZATION, format!("Bearer {key}"))?;
        }
        session.write_request_header(Box::new(head)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map(|head| head.status.as_u16());
        let Some(status) = status else {
            return Error::e_explain(ErrorType::InvalidHTTPHeader, "no head");
        };
        let mut body = Vec::new();
        while let Some(piece) = session.read_response_body().await? {
            if body.len() + piece.len() > question.len_max {
                return Error::e_explain(ErrorType::ReadError, "the answer is too long");
            }
            body.extend_from_slice(&piece);
        }
        if question.keep.is_some() {
            self.0.release_http_session(session, peer, question.keep).await;
        }
        Ok(Answer { status, body })
    }
}

// === impl NoAnswer ===

impl NoAnswer {
    fn of(error: &Error) -> Self {
        match error.etype() {
            ErrorType::ConnectRefused => Self::Refused,
            ErrorType::ConnectTimedout | ErrorType::ConnectNoRoute => Self::Silent,
            other => Self::Unclear(other.as_str().to_owned()),
        }
    }
}
