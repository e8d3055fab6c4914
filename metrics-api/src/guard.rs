//! The token in front of everything but the health probes.
//!
//! Programs send `Authorization: Bearer <token>`. A browser cannot do that for a page or an event stream, so
//! the token is accepted as the password of `Basic` as well, under any user name: the browser then asks once.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::state::AppState;

/// Probes come from machines that hold no secret, and their answers hold none.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request pass when no token is set, when it carries the token, or when it is a probe.
pub(crate) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let allowed = match &state.settings.token {
        None => true,
        Some(token) => OPEN_PATHS.contains(&request.uri().path()) || carries(request.headers(), token),
    };
    if allowed {
        next.run(request).await
    } else {
        ApiError::Unauthorized.into_response()
    }
}

/// Whether the headers carry the token. Takes as long for a nearly right token as for a wrong one of its
/// length.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    presented(headers).is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

/// The token that a client sent, in either scheme. Scheme names ignore case:
/// <https://www.rfc-editor.org/rfc/rfc9110#section-11.1>.
fn presented(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let value = value.parse().expect("a header value");
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn the_token_is_taken_from_bearer_and_from_basic() {
        let basic = format!("Basic {}", STANDARD.encode("anyone:s3:cret"));
        for value in ["Bearer s3:cret", "bearer  s3:cret", &basic] {
            assert!(carries(&headers(value), "s3:cret"), "{value}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong = format!("Basic {}", STANDARD.encode("s3cret"));
        for value in [
            "",
            "s3cret",
            "Bearer",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3cret ",
            "Basic s3cret",
            &wrong,
        ] {
            assert!(!carries(&headers(value), "s3cret"), "{value}");
        }
        assert!(!carries(&HeaderMap::new(), "s3cret"), "no header at all");
    }
}
