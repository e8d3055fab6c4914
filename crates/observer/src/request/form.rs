//! The walk over a `multipart/form-data` body (RFC 7578), as audio endpoints take it.
//!
//! Files are passed over by their delimiter; only the few fields that we know are looked at.

use memchr::memmem;
use record::{Name, Tokens};

use crate::json::lax_bool;
use crate::request::splice::{UsageWish, Word};
use crate::request::{BodyError, MODEL_LEN_MAX, RequestFacts};

/// Longest boundary. RFC 2046 allows 70 characters; some libraries write more.
const BOUNDARY_LEN_MAX: usize = 256;

/// Longest head of a part. Why this number: a disposition with a long file name stays below 1 KiB.
const HEAD_LEN_MAX: usize = 16 * 1024;

/// Longest value that is looked at, in bytes; a longer one belongs to none of our fields.
const VALUE_LEN_MAX: usize = 1_024;

/// What is known so far.
#[derive(Debug, Default)]
struct Fields {
    facts: RequestFacts,
    seen: Vec<&'static str>,
    include: Word,
    continuous: Word,
}

/// Reads a body.
///
/// # Errors
/// See [`BodyError`].
pub(super) fn read(content_type: &[u8], body: &[u8]) -> Result<RequestFacts, BodyError> {
    let delimiter = boundary(content_type)
        .map(|boundary| format!("--{boundary}"))
        .ok_or(BodyError::NotForm)?;
    let first = first_delimiter(body, delimiter.as_bytes()).ok_or(BodyError::NotForm)?;
    let between = format!("\r\n{delimiter}");
    let finder = memmem::Finder::new(&between);
    let mut fields = Fields::default();
    let mut at = first + delimiter.len();
    while !body.get(at..).unwrap_or_default().starts_with(b"--") {
        let rest = body.get(at..).unwrap_or_default();
        // RFC 2046 allows blanks behind a delimiter.
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let head = rest.get(blanks..).unwrap_or_default();
        let head = head.get(..HEAD_LEN_MAX).unwrap_or(head);
        let head_len = memmem::find(head, b"\r\n\r\n")
            .filter(|_| head.starts_with(b"\r\n"))
            .ok_or(BodyError::NotForm)?;
        let value_start = at + blanks + head_len + 4;
        let value_len = finder
            .find(body.get(value_start..).unwrap_or_default())
            .ok_or(BodyError::NotForm)?;
        let value_end = value_start + value_len;
        fields.part(
            head.get(..head_len).unwrap_or_default(),
            value_start..value_end,
            body,
        )?;
        at = value_end + between.len();
    }
    Ok(fields.into_facts(first, delimiter))
}

/// The boundary that a content type names.
fn boundary(content_type: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content_type).ok()?;
    let mut parameters = text.split(';');
    let media = parameters.next()?.trim();
    if !media.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let plain = !value.is_empty() && value.len() <= BOUNDARY_LEN_MAX && !value.contains(['"', '\\']);
    plain.then_some(value)
}

/// Where the first delimiter stands: at the beginning, or at the beginning of a line after a preamble.
fn first_delimiter(body: &[u8], delimiter: &[u8]) -> Option<usize> {
    memmem::find_iter(body, delimiter)
        .find(|at| *at == 0 || body.get(..*at).is_some_and(|before| before.ends_with(b"\r\n")))
}

// === impl Fields ===

impl Fields {
    fn part(&mut self, head: &[u8], place: std::ops::Range<usize>, body: &[u8]) -> Result<(), BodyError> {
        let Some(name) = field_name(head) else {
            return Ok(());
        };
        let value = body.get(place.clone()).unwrap_or_default();
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.len() <= VALUE_LEN_MAX);
        match name {
            "model" => {
                self.once("model")?;
                if value.len() > MODEL_LEN_MAX {
                    return Err(BodyError::ModelTooLong);
                }
                self.facts.model = Some(Name::from(text.ok_or(BodyError::ModelUnreadable)?));
                self.facts.model_value = Some(place);
            }
            "stream" => {
                self.once("stream")?;
                self.facts.shape.stream = text.and_then(lax_bool);
            }
            "stream_include_usage" => self.include.note_text(text),
            "stream_continuous_usage_stats" => self.continuous.note_text(text),
            "max_completion_tokens" => {
                self.facts.shape.max_tokens = text.and_then(|text| text.parse().ok()).map(Tokens);
            }
            "user" => self.facts.claims.user = (!value.is_empty()).then_some(place),
            "session_id" => self.facts.claims.session = (!value.is_empty()).then_some(place),
            _ => {}
        }
        Ok(())
    }

    fn once(&mut self, name: &'static str) -> Result<(), BodyError> {
        if self.seen.contains(&name) {
            return Err(BodyError::Twice(name));
        }
        self.seen.push(name);
        Ok(())
    }

    fn into_facts(self, at: usize, delimiter: String) -> RequestFacts {
        let mut facts = self.facts;
        facts.form = true;
        facts.shape.stream.get_or_insert(false);
        facts.usage = match (self.include, self.continuous) {
            (Word::Absent, Word::Absent) => UsageWish::SilentForm { at, delimiter },
            (Word::Yes, Word::Absent) => UsageWish::EndForm { at, delimiter },
            _ => UsageWish::Said,
        };
        facts
    }
}

// === impl Word ===

impl Word {
    fn note_text(&mut self, text: Option<&str>) {
        let yes = text.and_then(lax_bool) == Some(true) && *self == Self::Absent;
        *self = if yes { Self::Yes } else { Self::Other };
    }
}

/// The name of a field that is no file.
fn field_name(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let (mut name, mut is_file) = (None, false);
    for parameter in disposition.split(';').skip(1) {
        let Some((word, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match word.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(value.trim_matches('"')),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
    }
    name.filter(|_| !is_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{UsageStrip, UsageWanted};
    use record::Endpoint;

    const TYPE: &[u8] = b"multipart/form-data; charset=utf-8; Boundary=\"x-y\"";

    fn form(fields: &[(&str, &str)]) -> String {
        let part = |(name, value): &(&str, &str)| {
            format!("--x-y\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n")
        };
        let fields: String = fields.iter().map(part).collect();
        format!(
            "preamble --x-y\r\n{fields}--x-y \r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\r\n--x-\r\nname=\"model\"\r\n--x-y--\r\n"
        )
    }

    fn asked(body: &str, wanted: UsageWanted) -> Option<(String, UsageStrip)> {
        let facts = read(TYPE, body.as_bytes()).unwrap();
        let asked = facts.ask_for_usage(Endpoint::Transcription, wanted)?;
        let out = String::from_utf8(asked.splice.apply(body.as_bytes())).unwrap();
        Some((out, asked.strip))
    }

    #[test]
    fn the_fields_of_a_form_are_read_and_its_files_are_not() {
        let body = form(&[("\"model\"", "whisper"), ("stream", "True"), ("\"user\"", "me")]);
        let facts = read(TYPE, body.as_bytes()).unwrap();
        assert_eq!(facts.model.as_deref(), Some("whisper"));
        assert_eq!(facts.shape.stream, Some(true));
        let user = facts.claims.user.clone().unwrap();
        assert_eq!(facts.text(body.as_bytes(), &user, 64).as_deref(), Some("me"));
        let renamed = facts.model_splice("large").unwrap().apply(body.as_bytes());
        assert_eq!(read(TYPE, &renamed).unwrap().model.as_deref(), Some("large"));
    }

    #[test]
    fn usage_is_asked_for_with_fields_of_our_own() {
        let silent = form(&[("model", "w"), ("stream", "true")]);
        let (out, strip) = asked(&silent, UsageWanted::AtEnd).unwrap();
        assert_eq!(strip, UsageStrip::Chunk);
        assert_eq!(asked(&out, UsageWanted::AtEnd), None, "now it is said");
        let (out, strip) = asked(&silent, UsageWanted::Running).unwrap();
        assert_eq!(strip, UsageStrip::ChunkAndMembers);
        assert_eq!(asked(&out, UsageWanted::Running), None, "both are");
        let at_end = form(&[("stream", "true"), ("stream_include_usage", "true")]);
        let (_, strip) = asked(&at_end, UsageWanted::Running).unwrap();
        assert_eq!(strip, UsageStrip::Members);
        for said in [
            form(&[("stream", "true"), ("stream_include_usage", "false")]),
            form(&[("stream", "false")]),
        ] {
            assert_eq!(asked(&said, UsageWanted::Running), None, "{said}");
        }
    }

    #[test]
    fn what_is_no_form_is_said_to_be_none_at_any_cut() {
        let body = form(&[("model", "w"), ("stream", "true"), ("x", "")]);
        let end = body.len() - "--\r\n".len();
        for cut in 0..end {
            assert_eq!(
                read(TYPE, &body.as_bytes()[..cut]),
                Err(BodyError::NotForm),
                "cut at {cut}"
            );
        }
        assert_eq!(
            read(b"multipart/form-data", body.as_bytes()),
            Err(BodyError::NotForm)
        );
        let twice = form(&[("model", "w"), ("model", "v")]);
        assert_eq!(read(TYPE, twice.as_bytes()), Err(BodyError::Twice("model")));
        let long = form(&[("model", &"w".repeat(300))]);
        assert_eq!(read(TYPE, long.as_bytes()), Err(BodyError::ModelTooLong));
    }
}
