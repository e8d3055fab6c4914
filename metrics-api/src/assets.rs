//! The dashboard's files, embedded in the binary.
//!
//! The page is a single-page application: a path that names no file gets `index.html`, and the page itself
//! knows what to show. Paths under `/api` never come here.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Dashboard;

/// Vite puts a hash of the content into these names, so that they never change.
const HASHED_FOLDER: &str = "assets/";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept, but asked about each time: a new version shows at the next load.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// What stands in place of the dashboard in a build without it.
const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>streamgauge</title>\
<h1>The dashboard is not part of this build</h1>\
<p>To build it: <code>cd dashboard &amp;&amp; npm ci &amp;&amp; npm run build</code>, \
then build streamgauge again.</p>\
<p>The API works without it: <a href=\"/api/openapi.json\">/api/openapi.json</a>, \
<a href=\"/api/v1/summary\">/api/v1/summary</a>, <a href=\"/metrics\">/metrics</a>.</p></html>\n";

/// Answers every path that no route takes.
pub(crate) fn serve(uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Dashboard::get(path) {
        return respond(path, &file, headers);
    }
    if names_a_file(path) {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    }
    match Dashboard::get("index.html") {
        Some(page) => respond("index.html", &page, headers),
        None => (StatusCode::NOT_FOUND, axum::response::Html(MISSING)).into_response(),
    }
}

/// Whether a missing path must not become the page: a script or style that gets HTML fails in a puzzling way.
/// Below the root only `assets/` holds files; elsewhere a dot may be part of a request id or a replica's
/// name.
fn names_a_file(path: &str) -> bool {
    path.starts_with(HASHED_FOLDER) || (!path.contains('/') && mime_guess::from_path(path).first().is_some())
}

fn respond(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = entity_tag(&file.metadata.sha256_hash());
    let cache = if path.starts_with(HASHED_FOLDER) {
        FOREVER
    } else {
        REVALIDATE
    };
    let mut response = if is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(file.data.clone().into_owned()).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type(path));
        response
    };
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A weak tag, because the same content also goes out compressed.
fn entity_tag(hash: &[u8; 32]) -> String {
    let half: [u8; 16] = std::array::from_fn(|index| hash[index]);
    format!("W/\"{:032x}\"", u128::from_be_bytes(half))
}

/// Whether the client has this content: <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || bare(known) == bare(tag))
}

fn content_type(path: &str) -> HeaderValue {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = mime.type_() == "text" || matches!(mime.subtype().as_str(), "javascript" | "json");
    let text = if is_text {
        format!("{}; charset=utf-8", mime.essence_str())
    } else {
        mime.to_string()
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_browsers_demand_under_nosniff() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("assets/index-B1a.js", "text/javascript; charset=utf-8"),
            ("assets/index-B1a.css", "text/css; charset=utf-8"),
            ("favicon.svg", "image/svg+xml"),
            ("site.webmanifest", "application/manifest+json"),
            ("unknown", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    #[test]
    fn only_missing_pages_become_the_page() {
        for file in ["assets/gone", "assets/gone.js", "favicon.ico", "robots.txt"] {
            assert!(names_a_file(file), "{file}");
        }
        for page in ["", "requests", "requests/0190-ab.c", "replicas/10.0.0.1:8000"] {
            assert!(!names_a_file(page), "{page}");
        }
    }

    #[test]
    fn known_tags_are_found_in_any_form() {
        let tag = entity_tag(&[7; 32]);
        let bare = tag.trim_start_matches("W/").to_owned();
        for sent in [tag.clone(), bare, format!("\"other\", {tag}"), "*".to_owned()] {
            let value = sent.parse().expect("a header value");
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]);
            assert!(is_known(&headers, &tag), "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
