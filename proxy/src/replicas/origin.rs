//! What a replica's URL says: scheme, host and port, and nothing more.

use std::net::SocketAddr;

/// Where a replica is.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Why a replica's URL is not one.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not a replica's URL; write it like http://10.0.0.1:8000, without a path")]
pub struct UrlError {
    url: String,
}

// === impl Origin ===

impl Origin {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it has no scheme that we speak, or says more than where the replica is.
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let refusal = || UrlError { url: url.to_owned() };
        let uri: http::Uri = url.parse().map_err(|_| refusal())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refusal()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refusal());
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(refusal)?;
        let host = authority.host().to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if host.is_empty() || authority.as_str().ends_with(':') {
            return Err(refusal());
        }
        Ok(Self { host, port, tls })
    }

    /// What the replica is called: its address where that was told, else its host and port.
    pub(super) fn name(&self, address: Option<SocketAddr>) -> String {
        match address {
            Some(address) => address.to_string(),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// Where that is, when the host is an address; `None` for a name, which is resolved in the background.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let literal = self.host.trim_start_matches('[').trim_end_matches(']');
        literal.parse().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}
