//! The `choices` dialects: chat completions, text completions and transcription streams.
//!
//! The field rules follow vLLM's `chat_completion/serving.py`, SGLang, llama.cpp, TGI and LMDeploy: a role is
//! not a token, reasoning is one, and a filled payload is what counts, not the presence of a key.

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, is_filled};
use crate::json::{Kind, Malformed, Raw, Scan, string_end};
use crate::usage::Report;

use super::body;

/// Longest event that serves as a template. Why this number: ids, a model name of 256 bytes and one token
/// fit.
const TEMPLATE_LEN_MAX: usize = 1_024;

/// Reads events whose payload stands in `choices`.
#[derive(Debug)]
pub(crate) struct Choices {
    /// In chat, a delta with an empty content and no role is a token that decodes to no text.
    chat: bool,
    /// One choice was asked for: a count in its finish chunk is the count of the whole answer.
    single: bool,
    template: Option<Template>,
}

/// The last event that carried nothing but one text: what stood before the text and behind it.
///
/// The token events of a stream differ in their text alone (same id, model, creation time). An event with the
/// same beginning and the same end, and a whole JSON string in between, means the same: two comparisons
/// replace the walk.
#[derive(Debug)]
struct Template {
    before: Vec<u8>,
    behind: Vec<u8>,
    carried: Carried,
}

/// Where in the event a text that carries a token stands.
#[derive(Clone, Copy, Debug)]
struct Text {
    start: usize,
    end: usize,
}

/// What one choice of an event said.
#[derive(Debug, Default)]
struct Choice<'a> {
    index: u64,
    carried: Carried,
    has_role: bool,
    empty_content: bool,
    finish: Option<Raw<'a>>,
    text: Option<Text>,
}

/// What one event said, over all its choices.
#[derive(Debug, Default)]
struct Chunk {
    carried: Carried,
    /// Index of the only choice; running usage counts belong to it.
    choice: Option<u64>,
    choices: usize,
    has_choices: bool,
    finished: bool,
    usage: Option<Report>,
    error: bool,
    /// It said something that is kept: it is no template.
    kept: bool,
    text: Option<Text>,
}

// === impl Choices ===

impl Choices {
    pub(crate) const fn new(chat: bool, single: bool) -> Self {
        Self {
            chat,
            single,
            template: None,
        }
    }

    #[inline]
    pub(crate) fn read(&mut self, data: &[u8], answer: &mut Answer) -> Result<Reading, Malformed> {
        if let Some(template) = &self.template
            && template.fits(data)
        {
            return Ok(Reading {
                carried: template.carried,
                usage_only: false,
            });
        }
        // Some servers put a space behind it.
        if data.trim_ascii() == b"[DONE]" {
            answer.terminal = true;
            return Ok(Reading::default());
        }
        let mut chunk = Chunk::default();
        let chat = self.chat;
        let mut scan = Scan::new(data);
        scan.object(|key, scan| chunk.field(key, scan, chat, answer))?;
        if data.len() <= TEMPLATE_LEN_MAX && scan.at_end() {
            self.learn(data, &chunk);
        }
        Ok(chunk.finish(self.single, answer))
    }

    fn learn(&mut self, data: &[u8], chunk: &Chunk) {
        let plain = chunk.choices == 1 && !chunk.finished && !chunk.kept && chunk.usage.is_none();
        let Some(Text { start, end }) = chunk.text.filter(|_| plain) else {
            return;
        };
        if let (Some(before), Some(behind)) = (data.get(..start), data.get(end..)) {
            self.template = Some(Template {
                before: before.to_vec(),
                behind: behind.to_vec(),
                carried: chunk.carried,
            });
        }
    }
}

// === impl Template ===

impl Template {
    /// Whether an event is like this one but for a text that is not empty.
    #[inline]
    fn fits(&self, data: &[u8]) -> bool {
        let Some(text) = data.strip_prefix(self.before.as_slice()) else {
            return false;
        };
        let Some(len) = text.len().checked_sub(self.behind.len()).filter(|len| *len > 0) else {
            return false;
        };
        // `behind` begins with the closing quote: the string must end exactly there.
        text.ends_with(&self.behind) && string_end(text, 0) == Some(len)
    }
}

// === impl Chunk ===

impl Chunk {
    fn field(
        &mut self,
        key: &[u8],
        scan: &mut Scan<'_>,
        chat: bool,
        answer: &mut Answer,
    ) -> Result<(), Malformed> {
        match key {
            b"choices" => self.choices(scan, chat, answer),
            b"model" if answer.model.is_none() => answer.model(scan),
            b"usage" => {
                self.usage = Report::read(scan)?;
                Ok(())
            }
            b"error" => {
                let before = answer.error.take();
                answer.error(scan)?;
                self.error |= answer.error.is_some();
                self.kept = true;
                if answer.error.is_none() {
                    answer.error = before;
                }
                Ok(())
            }
            b"object" => {
                // Old vLLM: `{"object":"error","message":...}` without an `error` field.
                if scan.string_or_skip()?.is_some_and(|object| object.0 == b"error") {
                    answer.error.get_or_insert_with(|| "error".into());
                    self.kept = true;
                }
                Ok(())
            }
            b"timings" | b"metrics" => {
                self.kept = true;
                if key == b"timings" {
                    body::timings(scan, answer)
                } else {
                    body::metrics(scan, answer)
                }
            }
            _ => scan.skip(),
        }
    }

    #[inline]
    fn choices(&mut self, scan: &mut Scan<'_>, chat: bool, answer: &mut Answer) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Array {
            return scan.skip();
        }
        self.has_choices = true;
        scan.array(|scan| {
            let choice = Choice::read(scan)?;
            self.choices += 1;
            self.choice = (self.choices == 1).then_some(choice.index);
            let silent = chat && choice.empty_content && !choice.has_role && choice.finish.is_none();
            let carried = if silent {
                choice.carried.max(Carried::Hidden)
            } else {
                choice.carried
            };
            self.carried = self.carried.max(carried);
            self.text = choice.text;
            if let Some(word) = choice.finish {
                self.finished = true;
                answer.finished(choice.index, word);
            }
            Ok(())
        })
    }

    fn finish(self, single: bool, answer: &mut Answer) -> Reading {
        let empty = self.has_choices && self.choices == 0;
        let usage_only = empty && self.usage.is_some() && !self.error;
        if let Some(report) = self.usage {
            match self.choice {
                // Usage beside a choice counts that choice so far (vLLM's continuous_usage_stats); without a
                // choice, all.
                Some(choice) => answer.tally.running(choice, report),
                None => answer.tally.whole(report),
            }
            if self.finished && single && self.choice.is_some() {
                // Servers that report only once put the count into the finish chunk.
                answer.tally.whole(report);
            }
        }
        Reading {
            carried: self.carried,
            usage_only,
        }
    }
}

// === impl Choice ===

impl<'a> Choice<'a> {
    #[inline]
    fn read(scan: &mut Scan<'a>) -> Result<Self, Malformed> {
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
