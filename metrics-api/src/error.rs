//! Every answer that is not 200 leaves through here, in one envelope.
//!
//! A 400 names the parameter, the value and the accepted forms. A 500 says only that something failed: its
//! cause goes to the log.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A parameter that we cannot accept.
    #[error("{0}")]
    BadParameter(String),
    /// No such path, or no such request id.
    #[error("{0}")]
    NotFound(String),
    /// The path exists, the method does not.
    #[error("only GET is answered here")]
    MethodNotAllowed,
    /// The token is missing or wrong.
    #[error("this server needs a token: send `Authorization: Bearer <token>`")]
    Unauthorized,
    /// The ledger took too long: a shorter window or fewer groups will do.
    #[error("the ledger did not answer in time; ask for a shorter window")]
    TooSlow,
    /// The server of the ledger's database is not there at present. The cause is for the log.
    #[error("the database of the ledger cannot be reached; it is asked again with the next request")]
    Unavailable(#[source] ledger::QueryError),
    /// Something failed on our side. The text is for the log.
    #[error("the ledger could not be read")]
    Internal(#[source] ledger::QueryError),
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorEnvelope {
    /// What went wrong.
    pub(crate) error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// A word for programs: `bad_parameter`, `not_found`, `method_not_allowed`, `unauthorized`, `too_slow`,
    /// `unavailable`, `internal`.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) message: String,
}

// === impl ApiError ===

impl ApiError {
    /// The status and the word for programs.
    fn class(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadParameter(_) => (StatusCode::BAD_REQUEST, "bad_parameter"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::TooSlow => (StatusCode::SERVICE_UNAVAILABLE, "too_slow"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.class();
        if let Self::Internal(source) = &self {
            tracing::error!(error = error_chain(source), "a query failed");
        }
        if let Self::Unavailable(source) = &self {
            tracing::warn!(error = error_chain(source), "the ledger cannot be reached");
        }
        let message = match &self {
            Self::Internal(_) => "something failed on the server; its log says what".to_owned(),
            other => other.to_string(),
        };
        let mut response = (
            status,
            Json(ErrorEnvelope {
                error: ErrorBody { code, message },
            }),
        )
            .into_response();
        let headers = response.headers_mut();
        if matches!(self, Self::Unauthorized) {
            // Browsers cannot send a Bearer token by themselves, but they ask for a Basic password.
            headers.append(header::WWW_AUTHENTICATE, BEARER_CHALLENGE);
            headers.append(header::WWW_AUTHENTICATE, BASIC_CHALLENGE);
        }
        if matches!(self, Self::Unavailable(_)) {
            headers.insert(header::RETRY_AFTER, AGAIN_S);
        }
        if matches!(self, Self::MethodNotAllowed) {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

impl From<ledger::QueryError> for ApiError {
    fn from(error: ledger::QueryError) -> Self {
        match error {
            ledger::QueryError::Step(wanted) => {
                Self::BadParameter(format!("`step` is not accepted; {wanted}"))
            }
            ledger::QueryError::Cursor => Self::BadParameter(
                "`cursor` is not one that this server gave; take it from `next` of the page before"
                    .to_owned(),
            ),
            ledger::QueryError::TooSlow(_) => Self::TooSlow,
            passing if passing.is_passing() => Self::Unavailable(passing),
            other => Self::Internal(other),
        }
    }
}

/// When to ask again while the database is away, in seconds: servers restart in a few of them.
const AGAIN_S: header::HeaderValue = header::HeaderValue::from_static("5");

const BEARER_CHALLENGE: header::HeaderValue = header::HeaderValue::from_static("Bearer");
const BASIC_CHALLENGE: header::HeaderValue =
    header::HeaderValue::from_static("Basic realm=\"streamgauge\", charset=\"UTF-8\"");

/// An error and all its sources on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
