//! The `choices` dialects: chat completions, text completions and transcription streams.
//!
//! The field rules follow vLLM's `chat_completion/serving.py`, SGLang, llama.cpp, TGI and LMDeploy: a role is
//! not a token, reasoning is one, and a filled payload is what counts, not the presence of a key.

mod choice;
mod member;
mod template;

use std::ops::Range;

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, UsagePart, body};
use crate::json::{Kind, Malformed, Scan};
use crate::sse::Event;
use crate::usage::Report;

use choice::{Choice, Text};
pub(crate) use member::Member;
use template::Template;

/// Reads events whose payload stands in `choices`.
#[derive(Debug)]
pub(crate) struct Choices {
    form: Form,
    /// One choice was asked for: a count in its finish chunk is the count of the whole answer.
    single: bool,
    template: Option<Template>,
}

/// Which of the dialects it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// A delta with an empty content and no role is a token that decodes to no text.
    Chat,
    /// SGLang writes `"usage":null` into every chunk that has none (`serving_completions.py`).
    Text,
    Audio,
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
    /// Where the usage object stands in the event.
    usage_at: Option<(usize, usize)>,
    timings_at: Option<Range<usize>>,
    error: bool,
    /// The event itself is an error object.
    flat_error: bool,
    /// A notice about the prefill: it has a delta and carries no token.
    progress: bool,
    /// It said something that is kept: it is no template.
    kept: bool,
    text: Option<Text>,
    of_sglang: bool,
}

// === impl Choices ===

impl Choices {
    pub(crate) const fn new(form: Form, single: bool) -> Self {
        Self {
            form,
            single,
            template: None,
        }
    }

    #[inline]
    pub(crate) fn read(&mut self, event: &Event<'_>, answer: &mut Answer) -> Result<Reading, Malformed> {
        let data = event.data;
        if let Some(template) = &self.template
            && let Some(carried) = template.fits(data)
        {
            return Ok(Reading::of(carried));
        }
        // Some servers put a space behind it.
        if data.trim_ascii() == b"[DONE]" {
            answer.terminal = true;
            return Ok(Reading::default());
        }
        let mut chunk = Chunk::default();
        let form = self.form;
        let mut scan = Scan::new(data);
        let walked = scan.object(|key, scan| chunk.field(key, scan, form, answer));
        if let Err(malformed) = walked {
            // SGLang puts events of other kinds into a chat stream (`event: sglext_ids`).
            let foreign = !event.name.is_empty() && !matches!(event.name, b"message" | b"error");
            return if foreign {
                Ok(Reading::default())
            } else {
                Err(malformed)
            };
        }
        if scan.at_end() && chunk.is_plain() {
            self.template = chunk
                .text
                .and_then(|text| Template::new(data, text, chunk.carried));
        }
        if chunk.flat_error {
            answer.error(&mut Scan::new(data))?;
        }
        Ok(chunk.finish(self, data, scan.at().saturating_sub(1), answer))
    }
}

// === impl Chunk ===

impl Chunk {
    fn field(
        &mut self,
        key: &[u8],
        scan: &mut Scan<'_>,
        form: Form,
        answer: &mut Answer,
    ) -> Result<(), Malformed> {
        match key {
            b"choices" => self.choices(scan, form, answer)?,
            b"model" if answer.model.is_none() => answer.model(scan)?,
            b"usage" => {
                scan.kind()?;
                let start = scan.at();
                self.usage = Report::read(scan)?;
                self.usage_at = self.usage.map(|_| (start, scan.at()));
            }
            b"error" => {
                self.error |= answer.error(scan)?;
                self.kept = true;
            }
            // TGI names the class beside the message.
            b"error_type" => answer.error_type(scan)?,
            // Old vLLM: `{"object":"error","message":...}` without an `error` field.
            b"object" => {
                self.flat_error = scan.string_or_skip()?.is_some_and(|object| object.0 == b"error");
                self.kept |= self.flat_error;
            }
            b"timings" => {
                self.kept = true;
                scan.kind()?;
                let start = scan.at();
                body::timings(scan, answer)?;
                self.timings_at = Some(start..scan.at());
            }
            b"system_fingerprint" if !answer.llama_cpp => answer.fingerprint(scan)?,
            b"metrics" => {
                self.kept = true;
                body::metrics(scan, answer)?;
            }
            b"x_groq" => self.groq(scan)?,
            b"prompt_progress" => {
                self.progress = true;
                scan.skip()?;
            }
            b"type" if form == Form::Audio => self.transcript(scan, answer)?,
            b"delta" if form == Form::Audio => {
                if scan.string_or_skip()?.is_some_and(|text| !text.is_empty()) {
                    self.carried = Carried::Output;
                }
            }
            _ => scan.skip()?,
        }
        Ok(())
    }

    /// Groq puts the usage of the whole answer into an object of its own.
    fn groq(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Object {
            return scan.skip();
        }
        scan.object(|key, scan| {
            match key {
                b"usage" => self.usage = Report::read(scan)?.map(Report::about_all).or(self.usage),
                _ => scan.skip()?,
            }
            Ok(())
        })
    }

    /// OpenAI's own transcription stream has typed events and no `[DONE]`:
    /// <https://platform.openai.com/docs/api-reference/audio/transcript-text-done-event>.
    fn transcript(&mut self, scan: &mut Scan<'_>, answer: &mut Answer) -> Result<(), Malformed> {
        if scan
            .string_or_skip()?
            .is_some_and(|word| word.0 == b"transcript.text.done")
        {
            answer.terminal = true;
            self.kept = true;
        }
        Ok(())
    }

    #[inline]
    fn choices(&mut self, scan: &mut Scan<'_>, form: Form, answer: &mut Answer) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Array {
            return scan.skip();
        }
        self.has_choices = true;
        scan.array(|scan| {
            let choice = Choice::read(scan)?;
            self.choices += 1;
            self.choice = (self.choices == 1).then_some(choice.index);
            let silent =
                form == Form::Chat && choice.empty_content && !choice.has_role && choice.finish.is_none();
            let carried = if silent {
                choice.carried.max(Carried::Hidden)
            } else {
                choice.carried
            };
            self.carried = self.carried.max(carried);
            self.text = choice.text;
            self.of_sglang |= choice.of_sglang;
            if let Some(report) = choice.usage {
                // Moonshot counts a choice inside of it.
                answer.tally.running(choice.index, report);
                self.kept = true;
            }
            if let Some(word) = choice.finish {
                self.finished = true;
                answer.finished(choice.index, word);
            }
            Ok(())
        })
    }

    /// Whether it said nothing but one text.
    fn is_plain(&self) -> bool {
        self.choices == 1 && !self.finished && !self.kept && !self.progress && self.usage.is_none()
    }

    /// What the event was, whose object ends at `brace`.
    fn finish(self, reader: &Choices, data: &[u8], brace: usize, answer: &mut Answer) -> Reading {
        let empty = self.has_choices && self.choices == 0;
        if let Some(report) = self.usage {
            // llama.cpp counts each choice behind its end.
            let closed = answer
                .finished_last
                .filter(|_| answer.llama_cpp && !reader.single);
            match (self.choice.filter(|_| !report.is_about_all()), closed) {
                (Some(_), Some(choice)) if self.finished => answer.tally.closed(choice, report),
                // Usage beside a choice counts that choice so far (vLLM's continuous_usage_stats); without a
                // choice, all.
                (Some(choice), _) => answer.tally.running(choice, report),
                (None, Some(choice)) => answer.tally.closed(choice, report),
                (None, None) => answer.tally.whole(report),
            }
            if self.finished && reader.single && self.choice.is_some() {
                // Servers that report only once put the count into the finish chunk.
                answer.tally.whole(report);
            }
        }
        let last = answer.llama_cpp && self.finished && self.timings_at.is_none() && self.usage.is_none();
        let usage = match self.usage_at {
            Some(_) if empty && !self.error => UsagePart::Chunk {
                timings: self.timings_at.filter(|_| answer.llama_cpp),
            },
            // llama.cpp counts text completions without being asked, and gives no running counts.
            Some((start, end)) if self.choices > 0 && !answer.llama_cpp => {
                member::place(data, start..end, reader.form == Form::Text && self.of_sglang)
                    .map_or(UsagePart::Nothing, UsagePart::Member)
            }
            _ => UsagePart::Nothing,
        };
        Reading {
            carried: if self.progress {
                Carried::Nothing
            } else {
                self.carried
            },
            usage,
            timings_end: last.then_some(brace),
        }
    }
}
