//! Addresses as people write them: where to listen, where replicas are, where the ledger is.
//!
//! Every refusal is one sentence that shows the form to write.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;
use http::uri::{Authority, Scheme};
use ledger::Reader;

/// Reads `host:port` of an address to listen on.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    let numeric = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        format!("`{text}` is not an address to listen on; write it like 0.0.0.0:8001 or [::1]:8001")
    })
}

/// Reads the base URL of a replica and writes it as `scheme://host:port`.
pub(crate) fn replica(text: &str) -> Result<String, String> {
    let (scheme, authority) = base_url(text)?;
    // A number that is no port is no port to the library either; what stands behind the host tells them
    // apart.
    let written = authority.as_str().len() > authority.host().len();
    let port = match (authority.port_u16(), written) {
        (Some(port @ 1..), _) => port,
        (None, false) if scheme == Scheme::HTTPS => 443,
        (None, false) => 80,
        _ => return Err(format!("`{text}` has no port between 1 and 65535")),
    };
    Ok(format!("{scheme}://{}:{port}", authority.host()))
}

/// Reads the public address of the proxy, or an origin that may call the API: a base URL, kept as written.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    base_url(text)?;
    Ok(text.trim_end_matches('/').to_owned())
}

fn base_url(text: &str) -> Result<(Scheme, Authority), String> {
    if !text.contains("://") {
        return Err(format!(
            "`{text}` has no scheme; write http://{text} or https://{text}"
        ));
    }
    let not_a_url = || format!("`{text}` is not a URL; write it like http://10.0.0.1:8000");
    let parts = text.parse::<Uri>().map_err(|_| not_a_url())?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(not_a_url());
    };
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return Err(format!(
            "`{text}` has the scheme `{scheme}`; write http:// or https://"
        ));
    }
    // The refusals below do not repeat the URL: it may hold a password.
    if authority.as_str().contains('@') {
        return Err("the URL holds credentials; take them out and use `upstream_key`".to_owned());
    }
    if authority.host().is_empty() {
        return Err(not_a_url());
    }
    if let Some(path) = parts.path_and_query.filter(|path| path.as_str() != "/") {
        return Err(format!(
            "`{text}` has the path `{path}`; write only {scheme}://{authority}, the client's path is added"
        ));
    }
    Ok((scheme, authority))
}

/// Reads the address of a ledger. Nothing is opened.
pub(crate) fn ledger(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        Some(("sqlite", "" | ":memory:")) => Err(format!(
            "`{text}` names no file; two processes share the ledger, write sqlite://data/streamgauge.db"
        )),
        Some(("sqlite", _)) => Ok(text.to_owned()),
        Some(("postgres" | "postgresql", _)) => match Reader::open(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
        },
        Some((scheme, _)) => Err(format!(
            "a ledger is kept in SQLite or PostgreSQL, not in `{scheme}`; write \
             sqlite://data/streamgauge.db, or postgres://user:password@host/database"
        )),
        None => Err(format!("`{text}` has no scheme; write sqlite://{text}")),
    }
}

/// The file of a ledger that [`ledger`] accepted; `None` when it is in no file.
pub(crate) fn ledger_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?;
    Some(PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_a_scheme_a_host_and_a_port() {
        for (text, url) in [
            ("http://10.0.0.1:8000", "http://10.0.0.1:8000"),
            ("http://vllm_1:8000/", "http://vllm_1:8000"),
            ("https://api.example.com", "https://api.example.com:443"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(replica(text).as_deref(), Ok(url), "for {text}");
        }
        for (text, hint) in [
            ("10.0.0.1:8000", "write http://10.0.0.1:8000"),
            ("http://h:8000/v1", "write only http://h:8000"),
            ("http://h:8000?x=1", "has the path"),
            ("ftp://h", "write http://"),
            ("http://", "is not a URL"),
            ("http://h:0", "port"),
            ("http://h:99999", "port"),
            ("http://a b", "is not a URL"),
        ] {
            let refusal = replica(text).unwrap_err();
            assert!(refusal.contains(hint), "{text}: {refusal}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let refusal = replica("http://me:secret@h:8000").unwrap_err();
        assert!(!refusal.contains("secret"), "{refusal}");
    }

    #[test]
    fn a_ledger_is_a_file_or_a_database() {
        assert!(ledger("sqlite:///var/lib/a.db").is_ok());
        assert_eq!(
            ledger_path("sqlite://data/a.db?mode=rwc"),
            Some(PathBuf::from("data/a.db"))
        );
        assert_eq!(ledger_path("sqlite:///a.db"), Some(PathBuf::from("/a.db")));
        assert!(ledger("postgres://me:secret@db:5432/gauge?sslmode=require").is_ok());
        assert_eq!(ledger_path("postgres://db/gauge"), None);
        for (text, hint) in [
            ("a.db", "sqlite://a.db"),
            ("mysql://h/d", "SQLite or PostgreSQL"),
            ("postgres://me:secret@h:port/d", "postgres://me:***@h:port/d"),
            ("postgres://h/d?sslmode=maybe", "maybe"),
            ("sqlite://", "file"),
        ] {
            let refusal = ledger(text).unwrap_err();
            assert!(refusal.contains(hint), "{text}: {refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn listening_takes_numbers_and_localhost() {
        assert_eq!(listen("localhost:81").unwrap().to_string(), "127.0.0.1:81");
        assert_eq!(listen("[::1]:81").unwrap().to_string(), "[::1]:81");
        for text in ["8001", "0.0.0.0", "0.0.0.0:70000", "http://0.0.0.0:1"] {
            assert!(
                listen(text).unwrap_err().contains("0.0.0.0:8001"),
                "{text} must be refused"
            );
        }
    }
}
