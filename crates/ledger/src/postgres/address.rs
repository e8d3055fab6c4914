//! Where a PostgreSQL ledger is: its URL as options to connect, and as text that may be shown.

use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::error::OpenError;

/// What stands for a password wherever a URL is shown.
const MASK: &str = "***";

/// A database, and how to reach it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    options: PgConnectOptions,
    shown: String,
}

/// Whether a ledger URL names a PostgreSQL database.
pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A ledger URL as logs, errors and `check` may show it: a password is masked, in the address and in a
/// parameter.
///
/// ```
/// let shown = ledger::masked_url("postgres://gauge:secret@db:5432/gauge?sslmode=require");
/// assert_eq!(shown, "postgres://gauge:***@db:5432/gauge?sslmode=require");
/// ```
#[must_use]
pub fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|_| is_postgres(url)) else {
        return url.to_owned();
    };
    let (address, parameters) = match rest.split_once('?') {
        Some((address, parameters)) => (address, Some(parameters)),
        None => (rest, None),
    };
    // A password may hold `@` and `/` where somebody forgot to encode them: all of it goes.
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{MASK}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => address.to_owned(),
    };
    let Some(parameters) = parameters else {
        return format!("{scheme}://{address}");
    };
    let parameters: Vec<String> = parameters
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name.eq_ignore_ascii_case("password") => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{scheme}://{address}?{}", parameters.join("&"))
}

// === impl Address ===

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=...`. What is left out comes from
    /// `PGHOST`, `PGUSER`, `PGPASSWORD` and the like, or from `~/.pgpass`.
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let shown = masked_url(url);
        match PgConnectOptions::from_str(url) {
            Ok(options) => Ok(Self {
                options: options
                    .application_name("streamgauge")
                    // Texts are few and each is run for years.
                    .statement_cache_capacity(200)
                    .disable_statement_logging(),
                shown,
            }),
            Err(source) => Err(OpenError::Address { shown, source }),
        }
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The URL without its password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_password_is_shown() {
        for url in [
            "postgres://me:secret@db/gauge",
            "postgresql://me:secret@db:5432/gauge?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres://me:sec/ret@secret@db/gauge",
            "postgres://db/gauge?user=me&password=secret",
            "postgres://db/gauge?Password=secret&x=1",
        ] {
            let shown = masked_url(url);
            assert!(!shown.contains("secret") && !shown.contains("sec/ret"), "{shown}");
            assert!(shown.contains("/gauge"), "the database is still told: {shown}");
        }
        assert_eq!(masked_url("postgres://me@db/gauge"), "postgres://me@db/gauge");
        assert_eq!(masked_url("sqlite://data/a.db"), "sqlite://data/a.db");
    }

    #[test]
    fn a_url_is_read_and_a_wrong_one_is_told_without_its_password() {
        let address = Address::parse("postgres://me:secret@db:5433/gauge?sslmode=require").unwrap();
        assert_eq!(address.options().get_host(), "db");
        assert_eq!(address.options().get_port(), 5433);
        assert_eq!(address.options().get_database(), Some("gauge"));
        let refusal = Address::parse("postgres://me:secret@db/gauge?sslmode=sometimes").unwrap_err();
        assert!(
            !format!("{refusal} {refusal:?}").contains("secret"),
            "{refusal:?}"
        );
        assert!(refusal.to_string().contains("postgres://me:***@db"), "{refusal}");
    }
}
