//! The `choices` dialects: chat completions, text completions and transcription streams.
//!
//! The field rules follow vLLM's `chat_completion/serving.py`, SGLang, llama.cpp, TGI and LMDeploy: a role is
//! not a token, reasoning is one, and a filled payload is what counts, not the presence of a key.

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, is_filled};
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::usage::Report;

use super::body;

/// Longest beginning of an event that is remembered. Why this number: ids, a model name of 256 bytes and a
/// few scalars fit.
const HEAD_LEN_MAX: usize = 512;

/// Reads events whose payload stands in `choices`.
#[derive(Debug)]
pub(crate) struct Choices {
    /// In chat, a delta with an empty content and no role is a token that decodes to no text.
    chat: bool,
    /// One choice was asked for: a count in its finish chunk is the count of the whole answer.
    single: bool,
    /// The bytes of the last event up to the value of `choices`. All events of a stream begin alike (id,
    /// model, creation time), so one comparison saves walking them.
    head: Vec<u8>,
}

/// What one choice of an event said.
#[derive(Debug, Default)]
struct Choice<'a> {
    index: u64,
    carried: Carried,
    has_role: bool,
    empty_content: bool,
    finish: Option<Raw<'a>>,
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
}

// === impl Choices ===

impl Choices {
    pub(crate) const fn new(chat: bool, single: bool) -> Self {
        Self {
            chat,
            single,
            head: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn read(&mut self, data: &[u8], answer: &mut Answer) -> Result<Reading, Malformed> {
        let mut chunk = Chunk::default();
        let mut scan = Scan::new(data);
        let chat = self.chat;
        if !self.head.is_empty() && data.starts_with(&self.head) {
            scan = scan.starting_at(self.head.len());
            chunk.choices(&mut scan, chat, answer)?;
            if scan.more(b'}')? {
                scan.fields(&mut |key, scan| chunk.field(key, scan, chat, answer))?;
            }
        } else {
            // Some servers put a space behind it.
            if data.trim_ascii() == b"[DONE]" {
                answer.terminal = true;
                return Ok(Reading::default());
            }
            let mut head_len = None;
            let mut plain = true;
            scan.object(|key, scan| {
                match key {
                    b"choices" if plain => head_len = Some(scan.at()),
                    b"id" | b"object" | b"created" | b"model" | b"system_fingerprint" | b"service_tier" => {}
                    _ => plain = false,
                }
                chunk.field(key, scan, chat, answer)
            })?;
            let head = head_len
                .and_then(|len| data.get(..len))
                .filter(|head| head.len() <= HEAD_LEN_MAX);
            if let Some(head) = head {
                self.head.clear();
                self.head.extend_from_slice(head);
            }
        }
        Ok(chunk.finish(self.single, answer))
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
                if answer.error.is_none() {
                    answer.error = before;
                }
                Ok(())
            }
            b"object" => {
                // Old vLLM: `{"object":"error","message":...}` without an `error` field.
                if scan.string_or_skip()?.is_some_and(|object| object.0 == b"error") {
                    answer.error.get_or_insert_with(|| "error".into());
                }
                Ok(())
            }
            b"timings" => body::timings(scan, answer),
            b"metrics" => body::metrics(scan, answer),
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
                    if is_filled(scan)? {
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

    #[inline]
    fn delta(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let carried = match key {
            b"content" => {
                if scan.kind()? == Kind::Null {
                    return scan.skip();
                }
                if is_filled(scan)? {
                    Carried::Output
                } else {
                    self.empty_content = true;
                    Carried::Nothing
                }
            }
            b"reasoning_content" | b"reasoning" | b"reasoning_details" if is_filled(scan)? => Carried::Hidden,
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
