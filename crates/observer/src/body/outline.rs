//! What of a body is kept: a JSON text of the few fields that are read, made as the bytes pass.
//!
//! A body may be a mebibyte of log-probabilities with its usage in the middle (vLLM writes `prompt_logprobs`
//! behind `usage`). So nothing is kept of it but the fields of [`FIELDS`], of each choice those of
//! [`CHOICE_FIELDS`], and of every string its beginning; the rest is walked over. One pass, each byte looked
//! at once, memory bounded by [`OUTLINE_LEN_MAX`] whatever comes.

use crate::json::Raw;

/// The fields of a body that its readers look at (`dialect/body.rs`).
const FIELDS: [&[u8]; 19] = [
    b"model",
    b"object",
    b"usage",
    b"choices",
    b"stop_reason",
    b"done_reason",
    b"status",
    b"incomplete_details",
    b"error",
    b"error_type",
    b"type",
    b"code",
    b"timings",
    b"metrics",
    b"prompt_eval_count",
    b"prompt_eval_cached_count",
    b"prompt_eval_duration",
    b"eval_count",
    b"eval_duration",
];

/// As [`FIELDS`], of one choice.
const CHOICE_FIELDS: [&[u8]; 2] = [b"index", b"finish_reason"];

/// No field is kept any more once the outline has this length. Why this number: 64 choices with a usage
/// object stay below 4 KiB; only a body that repeats its fields gets here.
const OUTLINE_LEN_MAX: usize = 64 * 1024;

/// Longest value that is kept, without what was left out of its strings; a longer one is `null`. Why this
/// number: vLLM's `metrics` with `usage` stays below 2 KiB.
const VALUE_LEN_MAX: usize = 4 * 1024;

/// How much of a string is kept. Why this number: the longest model name that is accepted, 256 bytes, each
/// written as an escape. Messages of errors are longer and read by nobody.
const STRING_LEN_MAX: usize = 6 * 256;

/// How much of a field's name is kept: the longest of ours with every letter written as an escape.
const KEY_LEN_MAX: usize = 6 * 32;

/// Choices that are kept. Why this number: as many as are told apart in a stream.
const CHOICES_MAX: usize = 64;

/// Makes the outline of one body.
#[derive(Debug, Default)]
pub(super) struct Outline {
    text: Vec<u8>,
    step: Step,
    place: Place,
    key: Vec<u8>,
    value: Value,
    choices: usize,
    /// Something stands before the next field or item.
    comma: bool,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Step {
    /// The outermost value.
    #[default]
    Start,
    /// A field's name, or the end of an object that has none yet.
    KeyOrEnd,
    Key,
    /// The rest of a field's name; behind a backslash or not.
    InKey(bool),
    Colon,
    /// The value of the field whose name was read.
    Field,
    /// A choice, or the end of the list that has none yet.
    ItemOrEnd,
    Item,
    /// The rest of a value.
    InValue,
    /// A comma, or the end of what the value stands in.
    Behind,
    /// The outermost value is over.
    Done,
    /// This is no JSON.
    Broken,
}

/// Where in the body the walk is; inside a value it is where that stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// Outside of the outermost value, or in one that is no object.
    #[default]
    Outside,
    Body,
    Choices,
    Choice,
}

/// The value that is passed over or kept as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    keep: bool,
    /// Where in the outline it begins.
    start: usize,
    /// How many of its objects and arrays are open.
    depth: usize,
    string: InString,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum InString {
    #[default]
    No,
    /// How much more of it is kept.
    Yes { room: usize },
    /// Behind a backslash.
    Escaped { room: usize },
}

// === impl Outline ===

impl Outline {
    /// The outline so far: JSON that ends where the body's does.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Reads the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = match self.step {
                Step::Done | Step::Broken => return,
                Step::InValue => self.pass(rest),
                Step::InKey(escaped) => self.name(rest, escaped),
                _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => behind,
                Step::Field | Step::Item | Step::Start => self.begin(byte, rest),
                Step::ItemOrEnd if byte != b']' => self.begin(byte, rest),
                Step::KeyOrEnd | Step::Key if byte == b'"' => {
                    self.key.clear();
                    self.step = Step::InKey(false);
                    behind
                }
                Step::Colon if byte == b':' => {
                    self.step = Step::Field;
                    behind
                }
                Step::Behind if byte == b',' => {
                    self.step = if self.place == Place::Choices {
                        Step::Item
                    } else {
                        Step::Key
                    };
                    behind
                }
                Step::Behind | Step::KeyOrEnd | Step::ItemOrEnd => {
                    self.close(byte);
                    behind
                }
                Step::Key | Step::Colon => {
                    self.step = Step::Broken;
                    behind
                }
            };
        }
    }

    /// The rest of a field's name.
    fn name<'a>(&mut self, bytes: &'a [u8], escaped: bool) -> &'a [u8] {
        let from = usize::from(escaped);
        let end = bytes
            .get(from..)
            .and_then(|rest| memchr::memchr2(b'"', b'\\', rest));
        let len = end.map_or(bytes.len(), |end| from + end);
        let (part, rest) = bytes.split_at(len);
        let room = (KEY_LEN_MAX + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(part.get(..room).unwrap_or(part));
        self.step = Step::InKey(false);
        let Some((&special, behind)) = rest.split_first() else {
            return rest;
        };
        if special == b'"' {
            self.step = Step::Colon;
        } else {
            self.step = Step::InKey(true);
            if self.key.len() <= KEY_LEN_MAX {
                self.key.push(special);
            }
        }
        behind
    }

    /// A value begins.
    fn begin<'a>(&mut self, byte: u8, bytes: &'a [u8]) -> &'a [u8] {
        let behind = bytes.get(1..).unwrap_or_default();
        if !matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') {
            self.step = Step::Broken;
            return behind;
        }
        let name = Raw(&self.key);
        let opens = match (self.step, self.place, byte) {
            (Step::Start, _, b'{') => Some(Place::Body),
            (Step::Field, Place::Body, b'[') if name.is(b"choices") => Some(Place::Choices),
            (Step::Item | Step::ItemOrEnd, _, b'{') if self.choices < CHOICES_MAX => Some(Place::Choice),
            _ => None,
        };
        let keep = self.text.len() < OUTLINE_LEN_MAX
            && match (self.step, self.place) {
                (Step::Field, Place::Body) => FIELDS.iter().any(|field| name.is(field)),
                (Step::Field, _) => CHOICE_FIELDS.iter().any(|field| name.is(field)),
                // Of a list nothing is read but that it is one.
                (Step::Start, _) => byte != b'[',
                _ => self.choices < CHOICES_MAX,
            };
        if self.step != Step::Start && self.step != Step::Field {
            self.choices += 1;
        }
        if keep {
            self.separate();
        } else if self.step == Step::Start {
            self.text.push(byte);
        }
        match opens.filter(|_| keep) {
            Some(place) => {
                self.text.push(byte);
                self.place = place;
                self.comma = false;
                self.step = if place == Place::Choices {
                    Step::ItemOrEnd
                } else {
                    Step::KeyOrEnd
                };
                behind
            }
            None => {
                self.value = Value {
                    keep,
                    start: self.text.len(),
                    depth: 0,
                    string: InString::No,
                };
                self.step = Step::InValue;
                bytes
            }
        }
    }

    /// Writes what stands before a value that is kept.
    fn separate(&mut self) {
        if std::mem::replace(&mut self.comma, true) {
            self.text.push(b',');
        }
        if self.step == Step::Field {
            self.text.push(b'"');
            self.text.extend_from_slice(&self.key);
            self.text.extend_from_slice(b"\":");
        }
    }

    /// The rest of a value that is kept or passed over.
    fn pass<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match self.value.string {
            InString::No => self.pass_plain(bytes),
            InString::Yes { room } => self.pass_string(bytes, room),
            InString::Escaped { room } => {
                let (one, behind) = bytes.split_at(1.min(bytes.len()));
                if room > 0 {
                    self.keep(one);
                }
                self.value.string = InString::Yes {
                    room: room.saturating_sub(1),
                };
                behind
            }
        }
    }

    fn pass_string<'a>(&mut self, bytes: &'a [u8], room: usize) -> &'a [u8] {
        let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let (part, rest) = bytes.split_at(end);
        self.keep(part.get(..room).unwrap_or(part));
        let room = room.saturating_sub(part.len());
        match rest.split_first() {
            None => {
                self.value.string = InString::Yes { room };
                rest
            }
            Some((b'"', behind)) => {
                self.keep(b"\"");
                self.value.string = InString::No;
                if self.value.depth == 0 {
                    self.over();
                }
                behind
            }
            Some((_, behind)) => {
                // An escape is kept whole or not at all.
                let room = room.saturating_sub(1);
                if room > 0 {
                    self.keep(b"\\");
                }
                self.value.string = InString::Escaped { room };
                behind
            }
        }
    }

    /// Outside of strings, up to the value's end or to the next string in it.
    fn pass_plain<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut depth = self.value.depth;
        for (at, byte) in bytes.iter().enumerate() {
            let (read, over) = match byte {
                b'"' => {
                    self.value.string = InString::Yes { room: STRING_LEN_MAX };
                    (at + 1, false)
                }
                b'{' | b'[' => {
                    depth += 1;
                    continue;
                }
                b'}' | b']' if depth > 1 => {
                    depth -= 1;
                    continue;
                }
                b'}' | b']' if depth == 1 => (at + 1, true),
                // What ends a number or a word belongs to what it stands in.
                b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => (at, true),
                _ => continue,
            };
            self.value.depth = depth;
            let (part, behind) = bytes.split_at(read);
            self.keep(part);
            if over {
                self.over();
            }
            return behind;
        }
        self.value.depth = depth;
        self.keep(bytes);
        &[]
    }

    /// A value is over.
    fn over(&mut self) {
        self.step = Step::Behind;
        if self.place == Place::Outside {
            self.step = Step::Done;
            if self.text == b"[" {
                self.text.push(b']');
            }
        }
    }

    /// An object or a list ends that is walked.
    fn close(&mut self, byte: u8) {
        (self.place, self.step) = match (self.place, byte) {
            (Place::Body, b'}') => (Place::Outside, Step::Done),
            (Place::Choices, b']') => (Place::Body, Step::Behind),
            (Place::Choice, b'}') => (Place::Choices, Step::Behind),
            _ => (self.place, Step::Broken),
        };
        if self.step != Step::Broken {
            self.text.push(byte);
            self.comma = true;
        }
    }

    fn keep(&mut self, part: &[u8]) {
        if !self.value.keep {
            return;
        }
        self.text.extend_from_slice(part);
        if self.text.len() - self.value.start > VALUE_LEN_MAX {
            self.value.keep = false;
            self.text.truncate(self.value.start);
            self.text.extend_from_slice(b"null");
        }
    }
}

#[cfg(test)]
mod tests;
