//! The facts of a request body, without building a tree of it.
//!
//! A body is walked once, in linear time and constant memory. Only fields of the outermost object count:
//! `"model"` inside a prompt's text is text. What a replica could read in another way than we do (a field
//! given twice, a text that is not UTF-8) is refused, so that nobody smuggles a request past routing and
//! accounting. Everything but the model's name is kept as a place in the body, never as a copy: prompts and
//! identifiers live no longer than the body itself.

mod claims;
mod form;
mod json_body;
mod parts;
mod splice;

use std::borrow::Cow;
use std::ops::Range;

use record::{Endpoint, Name, Shape};

pub use claims::Claims;
pub use splice::{Splice, UsageAsked, UsageStrip, UsageWanted, apply_all};

use crate::json::Scan;
use splice::UsageWish;

/// Longest model name that is accepted. Why this number: the longest public repository names have about 100
/// bytes.
const MODEL_LEN_MAX: usize = 256;

/// What routing and the record need to know of a request body. All ranges are bytes of the body as the client
/// sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestFacts {
    /// The model that is asked for.
    pub model: Option<Name>,
    /// `stream`, `n`, limits, tools, parts, priority.
    pub shape: Shape,
    /// The value of `model`, quotes included.
    pub model_value: Option<Range<usize>>,
    /// The value of `messages`, `input` or `prompt`: what a prefix cache works on.
    pub prompt: Option<Range<usize>>,
    /// The value of `system` or `instructions`, which servers put before the messages.
    pub system: Option<Range<usize>>,
    /// The value of `tools` or `functions`, which servers put before the messages.
    pub tools: Option<Range<usize>>,
    /// The value of `cache_salt`: prompts with different salts share no cache.
    pub cache_salt: Option<Range<usize>>,
    /// What the body says about who asks.
    pub claims: Claims,
    /// Independent prompts in a text completion; each has `n` choices.
    pub prompts: u32,
    /// What the client said about usage in the stream.
    usage: UsageWish,
    /// The body is a form, whose values have no quotes and no escapes.
    form: bool,
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
    /// The model's name is no valid text.
    #[error("the field `model` is not valid UTF-8 text")]
    ModelUnreadable,
    /// The body is JSON in UTF-16 or UTF-32, which some servers read and we do not.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body is not a JSON object. The replica knows better how to say so; it is forwarded.
    #[error("the body is not a JSON object")]
    NotJson,
    /// The body is not the form that its content type announces. As [`Self::NotJson`].
    #[error("the body is not a multipart form")]
    NotForm,
}

// === impl RequestFacts ===

impl RequestFacts {
    /// Reads a JSON body. Linear in its length, constant memory, any depth.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, BodyError> {
        json_body::read(endpoint, body)
    }

    /// Reads a `multipart/form-data` body, as audio endpoints take it. `content_type` is the whole header:
    /// it names the boundary. Linear in the body's length, constant memory.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn read_form(content_type: &[u8], body: &[u8]) -> Result<Self, BodyError> {
        form::read(content_type, body)
    }

    /// How many choices the answer has: `n` for each prompt.
    #[must_use]
    pub fn choices(&self) -> u32 {
        self.shape
            .choices
            .unwrap_or(1)
            .max(1)
            .saturating_mul(self.prompts.max(1))
    }

    /// The text at a place of the body, its escapes undone; `None` when it is no valid text or longer than
    /// `len_max`.
    #[must_use]
    pub fn text<'a>(&self, body: &'a [u8], place: &Range<usize>, len_max: usize) -> Option<Cow<'a, str>> {
        let value = body.get(place.clone())?;
        if self.form || !value.starts_with(b"\"") {
            return std::str::from_utf8(value)
                .ok()
                .filter(|text| text.len() <= len_max)
                .map(Cow::Borrowed);
        }
        Scan::new(value).string().ok()?.to_text_at_most(len_max)
    }

    /// What puts another model's name in the place of the one that was asked for; `None` when none was.
    #[must_use]
    pub fn model_splice(&self, name: &str) -> Option<Splice> {
        let range = self.model_value.clone()?;
        let text = if self.form {
            name.to_owned()
        } else {
            serde_json::Value::from(name).to_string()
        };
        Some(Splice {
            range,
            text: text.into(),
        })
    }

    /// What to put into the text so that the replica reports usage as `wanted`, and what to take out of the
    /// answer again. `None` when the client's own words stand, when it asked for no stream, or where the
    /// option does not exist.
    #[must_use]
    pub fn ask_for_usage(&self, endpoint: Endpoint, wanted: UsageWanted) -> Option<UsageAsked> {
        let has_option = match endpoint {
            Endpoint::Chat | Endpoint::Completion => !self.form,
            Endpoint::Transcription | Endpoint::Translation => self.form,
            _ => false,
        };
        (has_option && self.shape.stream == Some(true))
            .then(|| self.usage.ask(wanted))
            .flatten()
    }
}

#[cfg(test)]
mod tests;
