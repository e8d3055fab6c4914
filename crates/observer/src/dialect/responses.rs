//! OpenAI responses: typed `response.*` events, ended by `response.completed`, `.incomplete` or `.failed`.
//!
//! `response.created` and `response.in_progress` come before the engine has begun (vLLM
//! `responses/serving.py`), so the first event is no token; usage stands in the terminal event; there is no
//! `[DONE]`.

use record::Dialect;

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, is_filled};
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::sse::Event;

use super::body;

/// What an event of this type does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Type {
    Delta(Carried),
    /// The end, with the word that stands for the finish reason.
    End(&'static [u8]),
    Error,
    Other,
}

pub(crate) fn read(event: &Event<'_>, answer: &mut Answer) -> Result<Reading, Malformed> {
    let mut scan = Scan::new(event.data);
    let mut kind = Type::of(event.name);
    let (mut filled, mut error, mut reason) = (false, false, None);
    scan.object(|key, scan| {
        match key {
            b"type" => kind = scan.string_or_skip()?.map_or(kind, |word| Type::of(word.0)),
            b"delta" => filled = is_filled(scan)?,
            b"response" if scan.kind()? == Kind::Object => {
                scan.object(|key, scan| {
                    match key {
                        // The status of a running response is not an end.
                        b"status" => scan.skip()?,
                        b"incomplete_details" => reason = body::reason(scan)?,
                        _ => body::field(Dialect::OpenaiResponses, key, scan, answer)?,
                    }
                    Ok(())
                })?;
            }
            // vLLM reports an error in mid-stream as an event without a type.
            b"error" => error = answer.error(scan)?,
            b"timings" => body::timings(scan, answer)?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    match kind {
        Type::Delta(carried) if filled => return Ok(Reading::of(carried)),
        Type::End(word) => {
            answer.terminal = true;
            answer.finished(0, reason.filter(|_| word == b"incomplete").unwrap_or(Raw(word)));
            if word == b"failed" {
                answer.error.get_or_insert_with(|| "error".into());
            }
        }
        // The event itself is the error: its class stands beside its message as `code`.
        Type::Error if !error => {
            answer.error(&mut Scan::new(event.data))?;
        }
        _ => {}
    }
    Ok(Reading::default())
}

// === impl Type ===

impl Type {
    fn of(word: &[u8]) -> Self {
        match word {
            b"response.output_text.delta"
            | b"response.refusal.delta"
            | b"response.function_call_arguments.delta"
            | b"response.custom_tool_call_input.delta"
            | b"response.mcp_call_arguments.delta"
            | b"response.code_interpreter_call_code.delta"
            | b"response.audio.delta"
            | b"response.output_audio.delta" => Self::Delta(Carried::Output),
            b"response.reasoning_text.delta"
            | b"response.reasoning_summary_text.delta"
            | b"response.reasoning.delta"
            | b"response.reasoning_summary.delta" => Self::Delta(Carried::Hidden),
            b"response.completed" => Self::End(b"completed"),
            b"response.incomplete" => Self::End(b"incomplete"),
            b"response.failed" => Self::End(b"failed"),
            b"response.cancelled" => Self::End(b"cancelled"),
            b"error" => Self::Error,
            _ => Self::Other,
        }
    }
}
