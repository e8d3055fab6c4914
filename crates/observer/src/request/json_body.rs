//! The walk over a JSON body.

use record::{Endpoint, Name, ResponseFormat, ServiceTier, Shape, Tokens};

use crate::json::{Kind, Malformed, Raw, Scan};
use crate::request::parts::{self, Parts};
use crate::request::splice::{Options, UsageWish, Word};
use crate::request::{BodyError, MODEL_LEN_MAX, RequestFacts};

/// Python's `json.loads` skips one of these, so does vLLM.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Longest field name that is compared without regard to case. Why this number: our longest has 25 bytes.
const FOLDED_LEN_MAX: usize = 32;

/// Reads a body.
///
/// # Errors
/// See [`BodyError`].
pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<RequestFacts, BodyError> {
    if is_wide(body) {
        return Err(BodyError::NotUtf8);
    }
    let mut walk = Walk::new(endpoint);
    let start = if body.starts_with(BOM) { BOM.len() } else { 0 };
    let mut scan = Scan::new(body).starting_at(start);
    let walked = scan.object(|key, scan| walk.field(key, scan));
    if let Some(refusal) = walk.refusal {
        return Err(refusal);
    }
    let brace = scan.at().saturating_sub(1);
    if walked.is_err() || !scan.at_end() {
        return Err(BodyError::NotJson);
    }
    Ok(walk.into_facts(brace))
}

/// Whether a text is UTF-16 or UTF-32: Python's `json.loads` guesses them from zero bytes and byte order
/// marks (`json.detect_encoding`) and reads what we would take for no JSON at all.
fn is_wide(body: &[u8]) -> bool {
    body.starts_with(b"\xff\xfe")
        || body.starts_with(b"\xfe\xff")
        || body.get(..4).unwrap_or(body).contains(&0)
}

/// What is known so far.
#[derive(Debug)]
struct Walk {
    facts: RequestFacts,
    once: Once,
    refusal: Option<BodyError>,
    wish: Option<UsageWish>,
    parts: Parts,
    limits: Limits,
    /// How much the value that stands for the prompt is one: `messages` before `input` before `prompt`.
    prompt_rank: u8,
    functions: Option<u32>,
    completion: bool,
    ollama: bool,
}

/// Limits on completion tokens, by the name they are given.
#[derive(Debug, Default)]
struct Limits {
    completion: Option<u64>,
    other: Option<u64>,
}

// === impl Walk ===

impl Walk {
    fn new(endpoint: Endpoint) -> Self {
        Self {
            facts: RequestFacts::default(),
            once: Once::default(),
            refusal: None,
            wish: None,
            parts: Parts::default(),
            limits: Limits::default(),
            prompt_rank: 0,
            functions: None,
            completion: endpoint == Endpoint::Completion,
            ollama: matches!(endpoint, Endpoint::OllamaChat | Endpoint::OllamaGenerate),
        }
    }

    fn field(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let mut folded = [0; FOLDED_LEN_MAX];
        let key = if self.ollama { fold(key, &mut folded) } else { key };
        if let Some(field) = self.once.note(key) {
            self.refusal = Some(BodyError::Twice(field));
            return Err(Malformed);
        }
        let shape = &mut self.facts.shape;
        match key {
            b"model" => self.model(scan)?,
            b"stream" => shape.stream = scan.lax_bool_or_skip()?,
            b"n" => shape.choices = scan.lax_count_or_skip()?.map(small),
            b"stream_options" => self.wish = Some(wish(scan)?),
            b"max_completion_tokens" => keep(&mut self.limits.completion, scan.lax_count_or_skip()?),
            b"max_tokens" | b"max_output_tokens" => {
                keep(&mut self.limits.other, scan.lax_count_or_skip()?);
            }
            b"options" if self.ollama => self.options(scan)?,
            b"priority" => shape.priority = scan.integer_or_skip()?,
            b"service_tier" => shape.service_tier = tier(scan)?,
            b"response_format" | b"format" | b"text" => self.format(key, scan)?,
            b"structured_outputs"
            | b"guided_json"
            | b"guided_regex"
            | b"guided_choice"
            | b"guided_grammar"
            | b"grammar" => self.guided(key, scan)?,
            b"tools" | b"functions" => self.tools(key, scan)?,
            b"messages" | b"input" | b"prompt" => self.prompt(key, scan)?,
            b"system" | b"instructions" => {
                if scan.kind()? != Kind::Null {
                    let start = scan.at();
                    self.parts.skip(scan)?;
                    self.facts.system = Some(start..scan.at());
                } else {
                    scan.skip()?;
                }
            }
            b"images" if self.ollama => {
                let images = parts::count(scan)?.unwrap_or(0);
                self.parts.images = self.parts.images.saturating_add(images);
            }
            b"cache_salt" => {
                let place = (scan.kind()? == Kind::String).then(|| scan.at());
                scan.skip()?;
                self.facts.cache_salt = place.map(|start| start..scan.at());
            }
            b"safety_identifier"
            | b"user"
            | b"metadata"
            | b"session_id"
            | b"conversation"
            | b"prompt_cache_key"
            | b"previous_response_id" => self.facts.claims.field(key, scan)?,
            _ => scan.skip()?,
        }
        Ok(())
    }

    fn model(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::String {
            return scan.skip();
        }
        let start = scan.at();
        let raw = scan.string()?;
        self.facts.model_value = Some(start..scan.at());
        match raw.to_text_at_most(usize::MAX) {
            Some(text) if text.len() <= MODEL_LEN_MAX => self.facts.model = Some(Name::from(&*text)),
            Some(_) => self.refusal = Some(BodyError::ModelTooLong),
            None => self.refusal = Some(BodyError::ModelUnreadable),
        }
        if self.refusal.is_some() {
            return Err(Malformed);
        }
        Ok(())
    }

    /// Ollama's `options`: `num_predict` limits the tokens, negative without limit.
    fn options(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Object {
            return scan.skip();
        }
        scan.object(|key, scan| {
            match key {
                b"num_predict" => keep(&mut self.limits.other, scan.lax_count_or_skip()?),
                _ => scan.skip()?,
            }
            Ok(())
        })
    }

    fn prompt(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let rank = match key {
            b"messages" => 3,
            b"input" => 2,
            _ => 1,
        };
        if scan.kind()? == Kind::Null {
            return scan.skip();
        }
        let start = scan.at();
        if self.completion && key == b"prompt" {
            self.facts.prompts = parts::prompts(scan)?;
        } else if self.ollama && key == b"messages" {
            self.parts.skip_ollama(scan)?;
        } else {
            self.parts.skip(scan)?;
        }
        if rank >= self.prompt_rank {
            self.prompt_rank = rank;
            self.facts.prompt = Some(start..scan.at());
        }
        Ok(())
    }

    fn tools(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        scan.kind()?;
        let start = scan.at();
        let count = parts::count(scan)?;
        if count.is_some() && (key == b"tools" || self.facts.tools.is_none()) {
            self.facts.tools = Some(start..scan.at());
        }
        if key == b"tools" {
            self.facts.shape.tools = count;
        } else {
            self.functions = count;
        }
        Ok(())
    }

    /// `response_format` (chat), `text.format` (responses), `format` (Ollama: the word `json`, or a schema).
    fn format(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let found = match (key, scan.kind()?) {
            (b"text", Kind::Object) => {
                let mut found = None;
                scan.object(|key, scan| {
                    match key {
                        b"format" => found = format_type(scan)?,
                        _ => scan.skip()?,
                    }
                    Ok(())
                })?;
                found
            }
            (b"response_format", _) => format_type(scan)?,
            (b"format", Kind::String) if self.ollama => Some(scan.string()?)
                .filter(|word| !word.is_empty())
                .map(format_of),
            (b"format", Kind::Object) if self.ollama => {
                scan.skip()?;
                Some(ResponseFormat::JsonSchema)
            }
            _ => {
                scan.skip()?;
                None
            }
        };
        self.facts.shape.response_format = found.or(self.facts.shape.response_format);
        Ok(())
    }

    /// vLLM's and llama.cpp's own ways to constrain the answer; `response_format` goes before them.
    fn guided(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Null {
            let form = if key == b"guided_json" {
                ResponseFormat::JsonSchema
            } else {
                ResponseFormat::Other
            };
            self.facts.shape.response_format.get_or_insert(form);
        }
        scan.skip()
    }

    fn into_facts(self, brace: usize) -> RequestFacts {
        let mut facts = self.facts;
        facts.usage = self.wish.unwrap_or(UsageWish::Silent { brace });
        facts.shape = Shape {
            // Ollama streams unless it is told not to:
            // https://github.com/ollama/ollama/blob/main/docs/api.md
            stream: Some(facts.shape.stream.unwrap_or(self.ollama)),
            max_tokens: self.limits.completion.or(self.limits.other).map(Tokens),
            tools: facts.shape.tools.or(self.functions),
            images: Some(self.parts.images),
            audios: Some(self.parts.audios),
            ..facts.shape
        };
        facts
    }
}

fn tier(scan: &mut Scan<'_>) -> Result<Option<ServiceTier>, Malformed> {
    let word = scan.string_or_skip()?;
    Ok(word.map(|word| {
        word.to_text_at_most(64)
            .and_then(|word| ServiceTier::parse(&word))
            .unwrap_or(ServiceTier::Other)
    }))
}

/// The form that `{"type": ...}` names.
fn format_type(scan: &mut Scan<'_>) -> Result<Option<ResponseFormat>, Malformed> {
    if scan.kind()? != Kind::Object {
        return scan.skip().map(|()| None);
    }
    let mut found = None;
    scan.object(|key, scan| {
        match key {
            b"type" => found = scan.string_or_skip()?.map(format_of),
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn format_of(word: Raw<'_>) -> ResponseFormat {
    match word.0 {
        b"json" => ResponseFormat::JsonObject,
        _ => word
            .to_text_at_most(64)
            .and_then(|word| ResponseFormat::parse(&word))
            .unwrap_or(ResponseFormat::Other),
    }
}

fn wish(scan: &mut Scan<'_>) -> Result<UsageWish, Malformed> {
    match scan.kind()? {
        Kind::Null => scan.skip_place().map(UsageWish::NullOptions),
        Kind::Object => {
            let mut options = Options {
                brace: scan.at(),
                empty: true,
                ..Options::default()
            };
            scan.object(|key, scan| {
                options.empty = false;
                match key {
                    b"include_usage" => options.include.note(scan)?,
                    b"continuous_usage_stats" => options.continuous.note(scan)?,
                    _ => scan.skip()?,
                }
                Ok(())
            })?;
            Ok(UsageWish::Options(options))
        }
        _ => scan.skip().map(|()| UsageWish::Said),
    }
}

// === impl Word ===

impl Word {
    /// Given twice, an option is not ours to judge.
    fn note(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        let yes = scan.lax_bool_or_skip()? == Some(true);
        *self = if yes && *self == Self::Absent {
            Self::Yes
        } else {
            Self::Other
        };
        Ok(())
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

/// A key in lower case: Go's `encoding/json`, and so Ollama, takes `"Model"` for `"model"`.
fn fold<'a>(key: &'a [u8], folded: &'a mut [u8; FOLDED_LEN_MAX]) -> &'a [u8] {
    match folded.get_mut(..key.len()) {
        Some(room) if key.iter().any(u8::is_ascii_uppercase) => {
            room.copy_from_slice(key);
            room.make_ascii_lowercase();
            room
        }
        _ => key,
    }
}

fn keep<T>(kept: &mut Option<T>, seen: Option<T>) {
    if seen.is_some() {
        *kept = seen;
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
