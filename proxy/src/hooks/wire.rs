//! The connection to a replica: one system call for a request, and a deadline for each wait.
//!
//! Pingora flushes a request's head before it looks at the body, so that plain connections cost two sends a
//! request and wake the replica twice; here the head of a request that declares a body waits for that body.
//! Pingora has one read timeout; here the wait for the first byte, the wait between bytes and the whole
//! request have their own.
//!
//! A peer with [`alpn`] makes Pingora ask our [`Wires`] for a connection and use its own HTTP/1 session, pool
//! and hooks on it (`connectors/http/mod.rs` in pingora-core 0.9.1). The name is never sent; TLS peers do
//! without.

mod deadline;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::OkOrErr as _;
use pingora::connectors::http::custom::{Connection, Connector};
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::prelude::{ErrorType, Result};
use pingora::protocols::ALPN;
use pingora::protocols::tls::CustomALPN;
use pingora::upstreams::peer::Peer;

pub(crate) use deadline::{Forsaken, Late};

use crate::replicas::Replica;
use crate::settings::Timeouts;
use crate::shared::Shared;
use deadline::Waits;
use stream::Wire;

/// Marks a peer for [`Wires`] and tells it the deadlines and the replica: nothing else of ours reaches a
/// connector.
pub(crate) fn alpn(timeouts: &Timeouts, replica: &Replica) -> ALPN {
    ALPN::Custom(CustomALPN::new(Waits::of(timeouts).to_mark(replica.id)))
}

/// Connects as Pingora does, then wraps the connection. Pingora's own pool keeps it.
pub(crate) struct Wires {
    transport: TransportConnector,
    shared: Arc<Shared>,
}

// === impl Wires ===

impl Wires {
    pub(crate) fn new(mut options: ConnectorOptions, shared: Arc<Shared>) -> Self {
        options.keepalive_pool_size = 1;
        Self {
            transport: TransportConnector::new(Some(options)),
            shared,
        }
    }
}

#[async_trait]
impl Connector for Wires {
    type Session = ();

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Result<(Connection<()>, bool)> {
        let waits = match peer.get_alpn() {
            Some(ALPN::Custom(mark)) => Waits::from_mark(mark.protocol()),
            _ => None,
        };
        let (waits, replica) = waits.or_err(ErrorType::InternalError, "a peer without the mark of a wire")?;
        let stream = self.transport.new_stream(peer).await?;
        // A replica that has left the fleet is never forsaken.
        let forsaken = self.shared.fleet.forsaken(replica).unwrap_or_default();
        let wire = Wire::new(stream, waits, forsaken);
        Ok((Connection::Stream(Box::new(wire)), false))
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(&self, _: &P) -> Option<()> {
        None // Pingora looks into its own pool next.
    }

    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        (): (),
        _: &P,
        _: Option<Duration>,
    ) {
    }
}
