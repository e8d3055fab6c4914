//! Anthropic messages: typed events, as vLLM, SGLang and llama.cpp serve them at `/v1/messages`.
//!
//! `message_start` carries the prompt's usage, `message_delta` the running totals, `message_stop` ends the
//! stream; there is no `[DONE]`: <https://docs.anthropic.com/en/api/messages-streaming>.

use record::FinishReason;

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, is_filled};
use crate::json::{Kind, Malformed, Scan};
use crate::sse::Event;
use crate::usage::Report;

/// The types that matter, whichever comes first in the object.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Type {
    #[default]
    Other,
    MessageStart,
    BlockStart,
    BlockDelta,
    MessageDelta,
    MessageStop,
    Error,
}

pub(crate) fn read(event: &Event<'_>, answer: &mut Answer) -> Result<Reading, Malformed> {
    let mut scan = Scan::new(event.data);
    let mut kind = Type::of(event.name);
    let (mut carried, mut begun) = (Carried::Nothing, Carried::Nothing);
    let (mut usage, mut stop) = (None, None);
    scan.object(|key, scan| {
        match key {
            b"type" => kind = scan.string_or_skip()?.map_or(kind, |word| Type::of(word.0)),
            b"delta" if scan.kind()? == Kind::Object => scan.object(|key, scan| {
                match key {
                    b"text" | b"partial_json" if is_filled(scan)? => carried = Carried::Output,
                    b"thinking" if is_filled(scan)? => carried = carried.max(Carried::Hidden),
                    b"text" | b"partial_json" | b"thinking" => {}
                    b"stop_reason" => stop = scan.string_or_skip()?,
                    _ => scan.skip()?,
                }
                Ok(())
            })?,
            b"content_block" if scan.kind()? == Kind::Object => begun = block(scan)?,
            b"message" if scan.kind()? == Kind::Object => scan.object(|key, scan| {
                match key {
                    b"model" => answer.model(scan)?,
                    b"usage" => usage = Report::read(scan)?,
                    _ => scan.skip()?,
                }
                Ok(())
            })?,
            b"usage" => usage = Report::read(scan)?,
            b"error" => {
                answer.error(scan)?;
            }
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    if let Some(word) = stop {
        answer.finished(0, word);
    }
    match (kind, usage) {
        (Type::MessageStart, Some(report)) => answer.tally.begun(report),
        (Type::MessageDelta, Some(report)) => answer.tally.whole(report),
        _ => {}
    }
    match kind {
        Type::MessageStop => answer.terminal = true,
        Type::Error if answer.error.is_none() => answer.error = Some("error".into()),
        _ => {}
    }
    if answer.error.is_some() {
        answer.finish.get_or_insert(FinishReason::Error);
    }
    Ok(Reading::of(match kind {
        Type::BlockDelta => carried,
        Type::BlockStart => begun,
        _ => Carried::Nothing,
    }))
}

/// What the beginning of a block carries: a tool's name is generated; a text that is not empty is one that
/// the server had held back.
fn block(scan: &mut Scan<'_>) -> Result<Carried, Malformed> {
    let (mut tool, mut text, mut thinking) = (false, false, false);
    scan.object(|key, scan| {
        match key {
            b"type" => {
                tool = scan
                    .string_or_skip()?
                    .is_some_and(|word| word.0.ends_with(b"tool_use"));
            }
            b"text" => text = is_filled(scan)?,
            b"thinking" => thinking = is_filled(scan)?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    Ok(if tool || text {
        Carried::Output
    } else if thinking {
        Carried::Hidden
    } else {
        Carried::Nothing
    })
}

// === impl Type ===

impl Type {
    fn of(word: &[u8]) -> Self {
        match word {
            b"message_start" => Self::MessageStart,
            b"content_block_start" => Self::BlockStart,
            b"content_block_delta" => Self::BlockDelta,
            b"message_delta" => Self::MessageDelta,
            b"message_stop" => Self::MessageStop,
            b"error" => Self::Error,
            _ => Self::Other,
        }
    }
}
