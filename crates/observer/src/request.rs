//! The facts of a request body, without building a tree of it.
//!
//! The body is walked once. Only fields of the outermost object count: `"model"` inside a prompt's text is
//! text. What a replica would read in another way than we do (a field given twice) is refused, so that nobody
//! smuggles a request past routing and accounting.

use std::ops::Range;

use record::{Endpoint, Name, Shape, Tokens};

use crate::json::{Kind, Malformed, Scan};

/// Longest model name that is accepted.
const MODEL_LEN_MAX: usize = 256;

/// What routing and the record need to know of a request body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestFacts {
    /// The model that is asked for.
    pub model: Option<Name>,
    /// `stream`, `n`, limits, priority.
    pub shape: Shape,
    /// What the client said about usage in the stream.
    usage: UsageWish,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// A field that decides about routing or accounting stands in the body twice.
    #[error("the field `{0}` is given twice")]
    Twice(&'static str),
    /// The model's name is longer than any model's.
    #[error("the field `model` is longer than {MODEL_LEN_MAX} bytes")]
    ModelTooLong,
    /// The body is not a JSON object. The replica knows better how to say so; it is forwarded.
    #[error("the body is not a JSON object")]
    NotJson,
}

/// One replacement in a body's text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Splice {
    /// The bytes that are replaced; empty to insert.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: &'static str,
}

/// What the client said about usage in the stream, and where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
enum UsageWish {
    /// Nothing; the position of the outermost closing brace.
    Silent { brace: usize },
    /// `stream_options` is `null`, at these bytes.
    NullOptions(Range<usize>),
    /// `stream_options` is an object without `include_usage`; its opening brace, and whether it is empty.
    OtherOptions { brace: usize, empty: bool },
    /// The client decided: `include_usage` is there, or `stream_options` is not what we know.
    #[default]
    Said,
}

// === impl RequestFacts ===

impl RequestFacts {
    /// Reads a JSON body. Linear in its length, constant memory, any depth.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, BodyError> {
        let mut facts = Self::default();
        let mut once = Once::default();
        let mut twice = None;
        let mut too_long = false;
        let mut wish = None;
        let mut scan = Scan::new(body);
        let walked = scan.object(|key, scan| {
            if let Some(field) = once.note(key) {
                twice = Some(field);
                return Err(Malformed);
            }
            match key {
                b"model" => {
                    if let Some(raw) = scan.string_or_skip()? {
                        facts.model = raw.to_text(MODEL_LEN_MAX).map(Name::from);
                        too_long = facts.model.is_none();
                    }
                }
                b"stream" => facts.shape.stream = Some(scan.bool_or_skip()? == Some(true)),
                b"n" => facts.shape.choices = small(scan.count_or_skip()?),
                b"max_completion_tokens" | b"max_tokens" | b"max_output_tokens" => {
                    facts.shape.max_tokens = scan.count_or_skip()?.map(Tokens).or(facts.shape.max_tokens);
                }
                b"priority" => facts.shape.priority = scan.integer_or_skip()?,
                b"stream_options" => wish = Some(UsageWish::read(scan)?),
                _ => scan.skip()?,
            }
            Ok(())
        });
        if let Some(field) = twice {
            return Err(BodyError::Twice(field));
        }
        let brace = scan.at().saturating_sub(1);
        if walked.is_err() || !scan.at_end() {
            return Err(BodyError::NotJson);
        }
        if too_long {
            return Err(BodyError::ModelTooLong);
        }
        facts.usage = wish.unwrap_or(UsageWish::Silent { brace });
        // Ollama streams unless it is told not to: https://github.com/ollama/ollama/blob/main/docs/api.md
        let streams_by_default = matches!(endpoint, Endpoint::OllamaChat | Endpoint::OllamaGenerate);
        facts.shape.stream.get_or_insert(streams_by_default);
        Ok(facts)
    }

    /// What to put into the text so that the replica reports usage at the end of the stream; `None` when the
    /// client said itself whether it wants that, or when it asked for no stream, or where the option does not
    /// exist.
    #[must_use]
    pub fn usage_splice(&self, endpoint: Endpoint) -> Option<Splice> {
        let has_option = matches!(endpoint, Endpoint::Chat | Endpoint::Completion);
        if !has_option || self.shape.stream != Some(true) {
            return None;
        }
        let (range, text) = match &self.usage {
            UsageWish::Silent { brace } => (*brace..*brace, r#","stream_options":{"include_usage":true}"#),
            UsageWish::NullOptions(range) => (range.clone(), r#"{"include_usage":true}"#),
            UsageWish::OtherOptions { brace, empty: true } => {
                (brace + 1..brace + 1, r#""include_usage":true"#)
            }
            UsageWish::OtherOptions { brace, empty: false } => {
                (brace + 1..brace + 1, r#""include_usage":true,"#)
            }
            UsageWish::Said => return None,
        };
        Some(Splice { range, text })
    }
}

// === impl Splice ===

impl Splice {
    /// The length of the text after the replacement.
    #[must_use]
    pub fn len_after(&self, len: usize) -> usize {
        len - self.range.len() + self.text.len()
    }

    /// The text after the replacement; one copy.
    #[must_use]
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len_after(body.len()));
        out.extend_from_slice(body.get(..self.range.start).unwrap_or_default());
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(body.get(self.range.end..).unwrap_or_default());
        out
    }
}

// === impl UsageWish ===

impl UsageWish {
    fn read(scan: &mut Scan<'_>) -> Result<Self, Malformed> {
        match scan.kind()? {
            Kind::Null => {
                let start = scan.at();
                scan.skip()?;
                Ok(Self::NullOptions(start..scan.at()))
            }
            Kind::Object => {
                let brace = scan.at();
                let (mut empty, mut said) = (true, false);
                scan.object(|key, scan| {
                    empty = false;
                    said |= key == b"include_usage";
                    scan.skip()
                })?;
                Ok(if said {
                    Self::Said
                } else {
                    Self::OtherOptions { brace, empty }
                })
            }
            _ => scan.skip().map(|()| Self::Said),
        }
    }
}

/// The fields that may stand in a body only once.
#[derive(Debug, Default)]
struct Once(u8);

// === impl Once ===

impl Once {
    const FIELDS: [&'static str; 4] = ["model", "stream", "stream_options", "n"];

    /// The field's name when it was there before.
    fn note(&mut self, key: &[u8]) -> Option<&'static str> {
        let (place, field) = Self::FIELDS
            .into_iter()
            .enumerate()
            .find(|(_, field)| field.as_bytes() == key)?;
        let bit = 1_u8 << place;
        let before = self.0 & bit != 0;
        self.0 |= bit;
        before.then_some(field)
    }
}

fn small(count: Option<u64>) -> Option<u32> {
    count.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
