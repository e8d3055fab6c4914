//! Replacements in a body's text, and the one that asks for usage.
//!
//! Text is spliced, never parsed and written again: the replica sees the client's other bytes unchanged. What
//! servers do when the client says nothing decides what may be added. `stream_options` that is there without
//! `include_usage` is left alone at the end of the stream, because some versions of vLLM take that for yes
//! and all others for no: whoever took the chunk out again would take from clients what they get without us
//! (`docs/adr/0010-stream-options-without-include-usage.md`).

use std::borrow::Cow;
use std::ops::Range;

/// One replacement in a body's text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Splice {
    /// The bytes that are replaced; empty to insert.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: Cow<'static, str>,
}

/// How much we want to know about usage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UsageWanted {
    /// The counts at the end of the stream.
    AtEnd,
    /// Also the running counts in every event, so that a stream that is cut has exact counts.
    Running,
}

/// What is taken out of a stream because only we asked for it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UsageStrip {
    /// Nothing: every byte goes to the client.
    #[default]
    Nothing,
    /// The usage chunk at the end.
    Chunk,
    /// The `usage` of events that carry choices; the client asked for the usage chunk itself.
    Members,
    /// Both.
    ChunkAndMembers,
}

/// What asks the replica for usage, and what follows from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsageAsked {
    /// The change of the body.
    pub splice: Splice,
    /// What is taken out of the answer again.
    pub strip: UsageStrip,
}

/// What the client said about usage in the stream, and where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum UsageWish {
    /// Nothing; the position of the outermost closing brace.
    Silent { brace: usize },
    /// `stream_options` is `null`, at these bytes.
    NullOptions(Range<usize>),
    /// `stream_options` is an object whose opening brace stands here.
    Options(Options),
    /// Nothing, in a form: its first delimiter, and the delimiter's text.
    SilentForm { at: usize, delimiter: String },
    /// Usage at the end, in a form.
    EndForm { at: usize, delimiter: String },
    /// The client decided, or said something that we do not know.
    #[default]
    Said,
}

/// What an object of `stream_options` holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Options {
    pub(super) brace: usize,
    pub(super) empty: bool,
    pub(super) include: Word,
    pub(super) continuous: Word,
}

/// What the client said about one option.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Word {
    #[default]
    Absent,
    Yes,
    /// No, or a value that is neither.
    Other,
}

const BOTH: &str = r#"{"include_usage":true,"continuous_usage_stats":true}"#;
const END: &str = r#"{"include_usage":true}"#;

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
        apply_all(body, std::slice::from_ref(self))
    }
}

/// The text after several replacements, which must be in the order of their places and must not overlap; one
/// copy.
#[must_use]
pub fn apply_all(body: &[u8], splices: &[Splice]) -> Vec<u8> {
    let len = splices
        .iter()
        .fold(body.len(), |len, splice| splice.len_after(len));
    let mut out = Vec::with_capacity(len);
    let mut at = 0;
    for splice in splices {
        out.extend_from_slice(body.get(at..splice.range.start).unwrap_or_default());
        out.extend_from_slice(splice.text.as_bytes());
        at = splice.range.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

// === impl UsageStrip ===

impl UsageStrip {
    /// Whether the usage chunk goes.
    #[must_use]
    pub const fn takes_chunk(self) -> bool {
        matches!(self, Self::Chunk | Self::ChunkAndMembers)
    }

    /// Whether the `usage` of events with choices goes.
    #[must_use]
    pub const fn takes_members(self) -> bool {
        matches!(self, Self::Members | Self::ChunkAndMembers)
    }
}

// === impl UsageWish ===

impl UsageWish {
    /// What is added to the body for what is `wanted`.
    pub(super) fn ask(&self, wanted: UsageWanted) -> Option<UsageAsked> {
        let running = wanted == UsageWanted::Running;
        let whole = if running { BOTH } else { END };
        let strip = if running {
            UsageStrip::ChunkAndMembers
        } else {
            UsageStrip::Chunk
        };
        let (range, text, strip): (_, Cow<'static, str>, _) = match self {
            Self::Silent { brace } => {
                let text = format!(",\"stream_options\":{whole}");
                (*brace..*brace, text.into(), strip)
            }
            Self::NullOptions(range) => (range.clone(), whole.into(), strip),
            Self::Options(options) => return options.ask(wanted),
            Self::SilentForm { at, delimiter } => {
                let mut text = form_field(delimiter, "stream_include_usage");
                if running {
                    text += &form_field(delimiter, "stream_continuous_usage_stats");
                }
                (*at..*at, text.into(), strip)
            }
            Self::EndForm { at, delimiter } if running => {
                let text = form_field(delimiter, "stream_continuous_usage_stats");
                (*at..*at, text.into(), UsageStrip::Members)
            }
            Self::EndForm { .. } | Self::Said => return None,
        };
        let splice = Splice { range, text };
        Some(UsageAsked { splice, strip })
    }
}

// === impl Options ===

impl Options {
    /// Running counts may be added beside the client's own words about the end; those stand as they are.
    fn ask(&self, wanted: UsageWanted) -> Option<UsageAsked> {
        let may =
            wanted == UsageWanted::Running && self.include != Word::Other && self.continuous == Word::Absent;
        may.then(|| UsageAsked {
            splice: Splice {
                range: self.brace + 1..self.brace + 1,
                text: if self.empty {
                    r#""continuous_usage_stats":true"#.into()
                } else {
                    r#""continuous_usage_stats":true,"#.into()
                },
            },
            strip: UsageStrip::Members,
        })
    }
}

fn form_field(delimiter: &str, name: &str) -> String {
    format!("{delimiter}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\ntrue\r\n")
}
