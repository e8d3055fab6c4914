//! Header fields: what they say about a request, and what changes on the way.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{Result, Session};
use record::Name;
use uuid::Uuid;

use crate::hooks::context::Ctx;
use crate::identity::Identifier;
use crate::tracked::{Tracked, Watched};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Longest request id that is taken over: vLLM repeats it in every chunk.
const ID_LEN_MAX: usize = 128;

/// Reads what a head says about the request and who asked. No key, cookie or address is kept.
pub(crate) fn identify(session: &Session, identifier: &Identifier, tracked: &mut Tracked) {
    let head = session.req_header();
    tracked.id = text(&head.headers, &REQUEST_ID)
        .filter(|id| is_id(id))
        .map_or_else(|| Uuid::now_v7().simple().to_string().into(), Name::from);
    tracked.trace_id = text(&head.headers, "traceparent").and_then(trace_id);
    tracked.identity = identifier.head(&head.headers, peer(session));
}

/// The head as the replica gets it.
pub(crate) fn towards_replica(session: &Session, head: &mut RequestHeader, ctx: &Ctx) -> Result<()> {
    if let Some(body) = ctx.body.get() {
        head.remove_header(&header::TRANSFER_ENCODING);
        head.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    head.remove_header(&header::EXPECT);
    // An answer that the replica compresses could be forwarded but not read.
    head.insert_header(header::ACCEPT_ENCODING, "identity")?;
    head.insert_header(REQUEST_ID, &*ctx.tracked.id)?;
    if let Some(peer) = peer(session) {
        let chain = match text(&head.headers, &FORWARDED_FOR) {
            Some(before) => format!("{before}, {peer}"),
            None => peer.to_string(),
        };
        head.insert_header(FORWARDED_FOR, chain)?;
    }
    if let Some((replica, _)) = &ctx.tracked.replica {
        head.insert_header(header::HOST, &**replica)?;
    }
    let pool = ctx.pool.as_ref();
    if let Some(key) = pool.and_then(|pool| pool.settings.upstream_key.as_ref()) {
        head.remove_header("x-api-key");
        head.insert_header(header::AUTHORIZATION, format!("Bearer {key}"))?;
    }
    Ok(())
}

/// The head as the client gets it.
pub(crate) fn towards_client(head: &mut ResponseHeader, ctx: &Ctx) -> Result<()> {
    // Ours replaces a replica's own, or the client would see two.
    head.insert_header(REQUEST_ID, &*ctx.tracked.id)?;
    head.remove_header(&KEEP_ALIVE);
    let stream = matches!(ctx.tracked.answer, Watched::Stream(_));
    if stream && head.headers.contains_key(header::CONTENT_LENGTH) {
        // Pingora flushes a body of known length only at its end, and what is taken out would make the length
        // a lie.
        head.remove_header(&header::CONTENT_LENGTH);
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// The media type without its parameters.
pub(crate) fn media_type(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// The address at the other end of the client's connection.
fn peer(session: &Session) -> Option<IpAddr> {
    Some(session.client_addr()?.as_inet()?.ip())
}

fn text(headers: &HeaderMap<HeaderValue>, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !id.is_empty() && id.len() <= ID_LEN_MAX && id.bytes().all(allowed)
}

/// The trace id of a `traceparent`: <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn trace_id(value: &str) -> Option<[u8; 16]> {
    let mut fields = value.split('-');
    let (version, trace, parent) = (fields.next()?, fields.next()?, fields.next()?);
    let lower_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if version.len() != 2 || version == "ff" || parent.len() != 16 || trace.len() != 32 {
        return None;
    }
    if !(lower_hex(version) && lower_hex(trace) && lower_hex(parent)) {
        return None;
    }
    let id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    Some(id.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_taken_over() {
        let long = "a".repeat(ID_LEN_MAX + 1);
        for id in ["", "a b", "a\u{e9}", "a\"", long.as_str()] {
            assert!(!is_id(id), "{id:?}");
        }
        assert!(is_id("chatcmpl-1.2_3") && is_id(&"a".repeat(ID_LEN_MAX)));
    }

    #[test]
    fn a_trace_id_is_read_only_from_a_valid_traceparent() {
        let id = trace_id("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(id[..2], [0x0a, 0xf7]);
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_media_type_has_no_parameters() {
        assert_eq!(
            media_type(b"text/event-stream; charset=utf-8"),
            b"text/event-stream"
        );
        assert_eq!(media_type(b""), b"");
    }
}
