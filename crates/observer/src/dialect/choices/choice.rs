//! One choice of an event: what its delta carries.

use crate::clock::Carried;
use crate::dialect::is_filled;
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::usage::Report;

/// Where in the event a text that carries a token stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What one choice of an event said.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) index: u64,
    pub(super) carried: Carried,
    pub(super) has_role: bool,
    pub(super) empty_content: bool,
    pub(super) finish: Option<Raw<'a>>,
    pub(super) usage: Option<Report>,
    pub(super) text: Option<Text>,
    /// It has SGLang's field.
    pub(super) of_sglang: bool,
}

// === impl Choice ===

impl<'a> Choice<'a> {
    #[inline]
    pub(super) fn read(scan: &mut Scan<'a>) -> Result<Self, Malformed> {
        let mut choice = Self::default();
        // The scanner inside the closure has the same text, so raw strings outlive the walk.
        let mut finish = None;
        scan.object(|key, scan| {
            match key {
                b"index" => choice.index = scan.count_or_skip()?.unwrap_or(0),
                b"delta" if scan.kind()? == Kind::Object => {
                    scan.object(|key, scan| choice.delta(key, scan))?;
                }
                b"text" => {
                    if choice.has_text(scan)? {
                        choice.carried = Carried::Output;
                    }
                }
                b"finish_reason" => finish = scan.string_or_skip()?,
                b"usage" => choice.usage = Report::read(scan)?,
                b"matched_stop" => {
                    choice.of_sglang = true;
                    scan.skip()?;
                }
                _ => scan.skip()?,
            }
            Ok(())
        })?;
        choice.finish = finish;
        Ok(choice)
    }

    /// Whether a value carries a token; remembers where, when it is a string.
    #[inline]
    fn has_text(&mut self, scan: &mut Scan<'_>) -> Result<bool, Malformed> {
        if scan.kind()? != Kind::String {
            return is_filled(scan);
        }
        let start = scan.at() + 1;
        let filled = !scan.string()?.is_empty();
        if filled {
            self.text = Some(Text {
                start,
                end: scan.at() - 1,
            });
        }
        Ok(filled)
    }

    #[inline]
    fn delta(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let carried = match key {
            b"content" => {
                if scan.kind()? == Kind::Null {
                    return scan.skip();
                }
                if self.has_text(scan)? {
                    Carried::Output
                } else {
                    self.empty_content = true;
                    Carried::Nothing
                }
            }
            b"reasoning_content" | b"reasoning" | b"reasoning_details" if self.has_text(scan)? => {
                Carried::Hidden
            }
            b"tool_calls" | b"function_call" | b"refusal" | b"audio" if is_filled(scan)? => Carried::Output,
            b"reasoning_content" | b"reasoning" | b"reasoning_details" | b"tool_calls" | b"function_call"
            | b"refusal" | b"audio" => Carried::Nothing,
            b"role" => {
                self.has_role = true;
                scan.skip()?;
                Carried::Nothing
            }
            _ => {
                scan.skip()?;
                Carried::Nothing
            }
        };
        self.carried = self.carried.max(carried);
        Ok(())
    }
}
