//! Dialects: what the events of one wire format mean.
//!
//! Each dialect is one file that turns an event into a [`Reading`] and adds what it learns to the [`Answer`].
//! Adding a dialect means one file and one line in [`Reader`]; framing, times, usage and outcome stay as they
//! are.

mod anthropic;
mod body;
mod choices;
mod ollama;
mod responses;

use std::ops::Range;

use record::{Dialect, Engine, FinishReason, Name};

pub(crate) use body::read_body;
pub(crate) use choices::Member;

use choices::Form;

use crate::clock::Carried;
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::sse::Event;
use crate::usage::Tally;

/// Longest model name that is kept. Why this number: the longest public repository names have about 100
/// bytes.
const NAME_LEN_MAX: usize = 256;

/// What one event was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reading {
    pub(crate) carried: Carried,
    pub(crate) usage: UsagePart,
    /// Where the event's object ends, when a server that was not asked for usage would have put its timings
    /// there.
    pub(crate) timings_end: Option<usize>,
}

/// The part of an event that is there because somebody asked for usage.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum UsagePart {
    #[default]
    Nothing,
    /// The whole event: a usage chunk.
    Chunk {
        /// Where its timings stand, which do not depend on who asked.
        timings: Option<Range<usize>>,
    },
    /// One member of an event that carries choices.
    Member(Member),
}

/// What an answer said about itself, so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) model: Option<Name>,
    pub(crate) tally: Tally,
    /// Why choice 0 ended.
    pub(crate) finish: Option<FinishReason>,
    /// The first 64 choices, by whether they have ended.
    finished: u64,
    /// The choice that ended last.
    finished_last: Option<u64>,
    /// The class of an error that the answer reported, never its message.
    pub(crate) error: Option<Name>,
    pub(crate) terminal: bool,
    pub(crate) engine: Engine,
    /// It comes from llama.cpp's server.
    llama_cpp: bool,
}

/// The reader of a stream's events, by dialect.
#[derive(Debug)]
pub(crate) enum Reader {
    Choices(choices::Choices),
    Anthropic,
    Responses,
    Ollama,
    /// A stream in no dialect that we know: forwarded, timed as bytes, not read.
    Opaque,
}

// === impl Answer ===

impl Answer {
    /// Whether the answer reached its end: its terminal marker, or a finish reason for each of `choices`.
    /// With more choices than are kept apart, only the marker tells.
    pub(crate) fn is_complete(&self, choices: u32) -> bool {
        self.terminal || self.finished.count_ones() >= choices.max(1)
    }

    /// Choice `index` ended with the server's own `word`.
    fn finished(&mut self, index: u64, word: Raw<'_>) {
        self.finished |= 1_u64
            .checked_shl(u32::try_from(index).unwrap_or(u32::MAX))
            .unwrap_or(0);
        self.finished_last = Some(index);
        if index == 0 {
            self.finish = Some(
                word.to_text(NAME_LEN_MAX)
                    .map_or(FinishReason::Other, |word| FinishReason::normalise(&word)),
            );
        }
    }

    /// llama.cpp names its build, `b7123-4b2f6a0c`, where OpenAI has an opaque word.
    fn fingerprint(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let word = scan.string_or_skip()?.and_then(|word| word.0.strip_prefix(b"b"));
        let digits = word.map_or(0, |word| {
            word.iter().take_while(|byte| byte.is_ascii_digit()).count()
        });
        self.llama_cpp |= digits > 0 && word.and_then(|word| word.get(digits)) == Some(&b'-');
        Ok(())
    }

    /// Keeps the first model name that the answer gives.
    fn model(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let seen = scan.string_or_skip()?;
        if self.model.is_none() {
            self.model = seen
                .and_then(|name| name.to_text(NAME_LEN_MAX))
                .filter(|name| !name.is_empty())
                .map(Name::from);
        }
        Ok(())
    }

    /// Reads an `error` value: an object with a type and a code, a bare string, or null. Its message is never
    /// kept: validation messages echo the prompt (vLLM's `_MAX_ERROR_INPUT_CHARS`). Says whether there was
    /// one.
    fn error(&mut self, scan: &mut Scan<'_>) -> Result<bool, Malformed> {
        match scan.kind()? {
            Kind::Null => return scan.skip().map(|()| false),
            Kind::Object => {
                let (mut kind, mut code) = (None, None);
                scan.object(|key, scan| {
                    match key {
                        // The word `error` says no more than that it is one.
                        b"type" => {
                            kind = scan
                                .string_or_skip()?
                                .and_then(error_word)
                                .filter(|word| &**word != "error");
                        }
                        b"code" if scan.kind()? == Kind::Number => {
                            code = scan
                                .integer_or_skip()?
                                .map(|code| Name::from(format!("code_{code}")));
                        }
                        b"code" => code = scan.string_or_skip()?.and_then(error_word),
                        _ => scan.skip()?,
                    }
                    Ok(())
                })?;
                self.error = Some(kind.or(code).unwrap_or_else(|| "error".into()));
            }
            _ => {
                scan.skip()?;
                self.error.get_or_insert_with(|| "error".into());
            }
        }
        Ok(true)
    }

    /// Reads the class of an error that stands beside its message.
    fn error_type(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if let Some(word) = scan.string_or_skip()?.and_then(error_word) {
            self.error = Some(word);
        }
        Ok(())
    }
}

// === impl Reading ===

impl Reading {
    /// An event that carried something and holds no usage.
    pub(crate) const fn of(carried: Carried) -> Self {
        Self {
            carried,
            usage: UsagePart::Nothing,
            timings_end: None,
        }
    }
}

/// An error class as servers write them: an identifier. Free text is no class and is dropped.
fn error_word(raw: Raw<'_>) -> Option<Name> {
    let word = raw.to_text(64)?;
    let identifier = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    (identifier && !word.is_empty()).then(|| word.into())
}

// === impl Reader ===

impl Reader {
    pub(crate) fn new(dialect: Dialect, choices: u32) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::choices(Form::Chat, choices),
            Dialect::OpenaiText => Self::choices(Form::Text, choices),
            Dialect::Audio => Self::choices(Form::Audio, choices),
            Dialect::Anthropic => Self::Anthropic,
            Dialect::OpenaiResponses => Self::Responses,
            Dialect::Ollama => Self::Ollama,
            Dialect::Json | Dialect::Other => Self::Opaque,
        }
    }

    const fn choices(form: Form, choices: u32) -> Self {
        Self::Choices(choices::Choices::new(form, choices <= 1))
    }

    /// Reads one event.
    ///
    /// # Errors
    /// [`Malformed`] when the event is not the JSON that the dialect promises; what was read before stays.
    #[inline]
    pub(crate) fn read(&mut self, event: &Event<'_>, answer: &mut Answer) -> Result<Reading, Malformed> {
        match self {
            Self::Choices(choices) => choices.read(event, answer),
            Self::Anthropic => anthropic::read(event, answer),
            Self::Responses => responses::read(event, answer),
            Self::Ollama => ollama::read(event.data, answer),
            Self::Opaque => Ok(Reading::default()),
        }
    }
}

/// Whether a value has something in it: a string that is not empty, an array or object with an element.
/// Consumes the value.
fn is_filled(scan: &mut Scan<'_>) -> Result<bool, Malformed> {
    match scan.kind()? {
        Kind::String => Ok(!scan.string()?.is_empty()),
        Kind::Array => {
            let mut filled = false;
            scan.array(|scan| {
                filled = true;
                scan.skip()
            })?;
            Ok(filled)
        }
        Kind::Object => {
            let mut filled = false;
            scan.object(|_, scan| {
                filled = true;
                scan.skip()
            })?;
            Ok(filled)
        }
        _ => scan.skip().map(|()| false),
    }
}
