//! What a request's head must be before anything else looks at it.

use http::{Version, header};
use pingora::http::RequestHeader;

use crate::hooks::answer::Refusal;

/// Longest request target. Why this number: no served path with its query comes near; nginx and HAProxy allow
/// 8 KiB.
const TARGET_LEN_MAX: usize = 8 * 1024;

/// Refuses heads that two readers could read in two ways, or that no client of ours sends.
pub(crate) fn vet(head: &RequestHeader) -> Result<(), Refusal> {
    let count = |name: header::HeaderName| head.headers.get_all(name).iter().take(2).count();
    if head.raw_path().len() > TARGET_LEN_MAX {
        return Err(Refusal::faulty(
            414,
            "uri_too_long",
            "the request target is longer than 8 KiB",
        ));
    }
    // https://www.rfc-editor.org/rfc/rfc9112#section-3.2: a server must answer 400 to a request without
    // exactly one Host.
    if head.version == Version::HTTP_11 && count(header::HOST) != 1 {
        return Err(Refusal::faulty(
            400,
            "invalid_request_error",
            "exactly one Host header is required",
        ));
    }
    if count(header::CONTENT_LENGTH) > 1 || head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::faulty(
            400,
            "invalid_request_error",
            "the length of the body is ambiguous",
        ));
    }
    let expects = head.headers.get(header::EXPECT);
    if expects.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::faulty(
            417,
            "expectation_failed",
            "the only expectation served is 100-continue",
        ));
    }
    let upgrade = head.headers.get(header::UPGRADE);
    if upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Err(Refusal::faulty(
            426,
            "invalid_request_error",
            "WebSockets are not served here",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut head = RequestHeader::build("POST", target.as_bytes(), None).unwrap();
        head.set_version(Version::HTTP_11);
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    #[test]
    fn a_usual_head_passes() {
        let fields = [
            ("host", "x"),
            ("content-length", "3"),
            ("expect", "100-Continue"),
            ("upgrade", "h2c"),
        ];
        assert!(vet(&head("/v1/models", &fields)).is_ok());
    }

    #[test]
    fn odd_heads_are_refused_each_with_its_status() {
        let long = format!("/{}", "a".repeat(TARGET_LEN_MAX));
        for (target, fields, status) in [
            (long.as_str(), &[("host", "x")][..], 414),
            ("/", &[], 400),
            ("/", &[("host", "a"), ("host", "b")], 400),
            (
                "/",
                &[("host", "a"), ("content-length", "1"), ("content-length", "2")],
                400,
            ),
            ("/", &[("host", "a"), ("transfer-encoding", "chunked")], 400),
            ("/", &[("host", "a"), ("expect", "foo")], 417),
            ("/", &[("host", "a"), ("upgrade", "WebSocket")], 426),
        ] {
            assert_eq!(
                vet(&head(target, fields)).unwrap_err().status,
                status,
                "{fields:?}"
            );
        }
    }
}
