//! Framing: bytes of a stream in any pieces, whole events out.
//!
//! Two framings: server-sent events as the WHATWG defines them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>) and
//! newline-delimited JSON. One rule is more lenient than the standard's: an event that the end of the stream
//! cuts off before its blank line is delivered, because it is often the usage chunk.
//!
//! The usual event, one `data` line whole in one piece, is handed out as a slice of the caller's bytes:
//! nothing is copied and nothing is allocated.

use memchr::{memchr, memchr2};

/// Longest event that is read, in bytes; a longer one is counted and forwarded, not read. Bounds the memory
/// of a stream. Why this number: chunks with log-probabilities or base64 audio reach 300 kB; an event of 1
/// MiB is no token.
pub const EVENT_LEN_MAX: usize = 1 << 20;

/// Longest event name that is kept. Why this number: the longest in use,
/// `response.reasoning_summary_text.delta`, has 36.
const NAME_LEN_MAX: usize = 64;

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// One event of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The event's name; empty when the stream did not give one (`message` by the standard).
    pub name: &'a [u8],
    /// The joined data lines, without the line ends that separate events.
    pub data: &'a [u8],
    /// Offset in the stream of the data's first byte; `None` when the data is not one piece of the stream
    /// (several `data` lines).
    pub data_start: Option<u64>,
    /// Offset in the stream of the event's first byte.
    pub start: u64,
    /// Offset in the stream just behind the event's blank line.
    pub end: u64,
}

/// How a stream is divided into events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// `text/event-stream`.
    Sse,
    /// `application/x-ndjson`: each line is an event.
    Lines,
}

/// An incremental parser. Feed it with [`Framer::push`], end it with [`Framer::finish`].
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    /// Offset in the stream of the next byte to come.
    at: u64,
    /// How many bytes of a byte order mark were seen at the very start.
    bom: BomState,
    /// A line end by CR was seen: an LF that follows belongs to it.
    after_cr: bool,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The line was longer than [`EVENT_LEN_MAX`]: its rest is passed over.
    line_too_long: bool,
    /// Lines too long so far.
    too_long: u64,
    pending: Pending,
}

/// The event that is being collected.
#[derive(Debug, Default)]
struct Pending {
    /// Joined data lines, when they could not be handed out as a slice.
    data: Vec<u8>,
    /// Offset of the data while it is one line.
    data_start: Option<u64>,
    has_data: bool,
    /// A part of it was too long to keep: it is not delivered.
    broken: bool,
    name: Vec<u8>,
    /// Offset of the event's first field.
    start: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BomState {
    Matching(usize),
    Done,
}

// === impl Framer ===

impl Framer {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            at: 0,
            bom: if framing == Framing::Sse {
                BomState::Matching(0)
            } else {
                BomState::Done
            },
            after_cr: false,
            line: Vec::new(),
            line_too_long: false,
            too_long: 0,
            pending: Pending::default(),
        }
    }

    /// Lines that were longer than [`EVENT_LEN_MAX`] so far.
    #[must_use]
    pub const fn too_long(&self) -> u64 {
        self.too_long
    }

    /// Whether the stream stands between two events: nothing begun is held back.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.line.is_empty() && !self.line_too_long && self.pending.start.is_none()
    }

    /// Offset of the first byte of the event that has begun and not ended; the current offset when there is
    /// none.
    #[must_use]
    pub fn open_event_start(&self) -> u64 {
        self.pending
            .start
            .unwrap_or_else(|| self.at - u64::try_from(self.line.len()).unwrap_or(0))
    }

    /// Reads the next bytes of the stream and hands each event that they complete to `sink`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        let mut rest = bytes;
        if self.bom != BomState::Done {
            rest = self.skip_bom(rest);
        }
        while !rest.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if let Some(behind) = rest.strip_prefix(b"\n") {
                    self.at += 1;
                    rest = behind;
                    continue;
                }
            }
            let end = match self.framing {
                Framing::Sse => memchr2(b'\n', b'\r', rest),
                Framing::Lines => memchr(b'\n', rest),
            };
            let Some(end) = end else {
                self.keep(rest);
                return;
            };
            let (line, behind) = rest.split_at(end);
            let (line_end, mut behind) = behind.split_at(1);
            self.after_cr = line_end == b"\r";
            let mut width = end + 1;
            if self.after_cr
                && let Some(after) = behind.strip_prefix(b"\n")
            {
                self.after_cr = false;
                width += 1;
                behind = after;
            }
            let started = self.at - u64::try_from(self.line.len()).unwrap_or(0);
            self.at += u64::try_from(width).unwrap_or(0);
            rest = behind;
            if self.line.is_empty() && !self.line_too_long {
                self.line_done(line, started, &mut rest, sink);
            } else {
                self.keep_tail(line);
                let whole = std::mem::take(&mut self.line);
                if !std::mem::take(&mut self.line_too_long) {
                    self.line_done(&whole, started, &mut rest, sink);
                }
                self.line = whole;
                self.line.clear();
            }
        }
    }

    /// Ends the stream: an event without its blank line is delivered all the same.
    pub fn finish(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if !self.line.is_empty() && !self.line_too_long {
            let whole = std::mem::take(&mut self.line);
            let started = self.at - u64::try_from(whole.len()).unwrap_or(0);
            self.line_done(&whole, started, &mut &[][..], sink);
        }
        self.dispatch(sink);
    }

    /// A line is complete. `rest` is what follows it in the caller's bytes: when that begins with the blank
    /// line, the event is handed out at once and the blank line is consumed.
    #[inline]
    fn line_done(&mut self, line: &[u8], started: u64, rest: &mut &[u8], sink: &mut impl FnMut(Event<'_>)) {
        if self.framing == Framing::Lines {
            let data = line.strip_suffix(b"\r").unwrap_or(line);
            if !data.is_empty() {
                sink(Event {
                    name: b"",
                    data,
                    data_start: Some(started),
                    start: started,
                    end: self.at,
                });
            }
            return;
        }
        if line.is_empty() {
            self.dispatch(sink);
            return;
        }
        let (field, value) = split_field(line);
        let value_start = started + u64::try_from(line.len() - value.len()).unwrap_or(0);
        match field {
            b"data" => {
                self.pending.start.get_or_insert(started);
                if !self.pending.has_data
                    && !self.pending.broken
                    && !self.after_cr
                    && let Some(behind) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n"))
                {
                    self.at += u64::try_from(rest.len() - behind.len()).unwrap_or(0);
                    *rest = behind;
                    let start = self.pending.start.take().unwrap_or(started);
                    sink(Event {
                        name: &self.pending.name,
                        data: value,
                        data_start: Some(value_start),
                        start,
                        end: self.at,
                    });
                    self.pending.name.clear();
                    return;
                }
                if !self.pending.add_data(value, value_start) {
                    self.too_long += 1;
                }
            }
            b"event" => {
                self.pending.start.get_or_insert(started);
                self.pending.name.clear();
                self.pending
                    .name
                    .extend_from_slice(value.get(..NAME_LEN_MAX).unwrap_or(value));
            }
            // A comment belongs to no event; `id`, `retry` and unknown fields belong to one but say nothing
            // to us.
            b"" => {}
            _ => {
                self.pending.start.get_or_insert(started);
            }
        }
    }

    /// A blank line: the event is complete, if it had any data.
    fn dispatch(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        let Some(start) = self.pending.start.take() else {
            return;
        };
        if self.pending.has_data && !self.pending.broken {
            sink(Event {
                name: &self.pending.name,
                data: &self.pending.data,
                data_start: self.pending.data_start,
                start,
                end: self.at,
            });
        }
        self.pending.has_data = false;
        self.pending.broken = false;
        self.pending.data.clear();
        self.pending.name.clear();
    }

    /// Keeps the beginning of a line until its end comes.
    fn keep(&mut self, part: &[u8]) {
        self.keep_tail(part);
        self.at += u64::try_from(part.len()).unwrap_or(0);
    }

    fn keep_tail(&mut self, part: &[u8]) {
        if self.line.len() + self.pending.data.len() + part.len() > EVENT_LEN_MAX {
            if !self.line_too_long {
                self.too_long += 1;
            }
            self.line_too_long = true;
            self.line = Vec::new();
            if self.framing == Framing::Sse {
                self.pending.start.get_or_insert(self.at);
                self.pending.give_up();
            }
            return;
        }
        if !self.line_too_long {
            self.line.extend_from_slice(part);
        }
    }

    /// One leading byte order mark is not part of the stream:
    /// <https://html.spec.whatwg.org/#parsing-an-event-stream>.
    fn skip_bom<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let (BomState::Matching(seen), Some((byte, behind))) = (self.bom, rest.split_first()) {
            if BOM.get(seen) == Some(byte) {
                self.at += 1;
                self.bom = if seen + 1 == BOM.len() {
                    BomState::Done
                } else {
                    BomState::Matching(seen + 1)
                };
                rest = behind;
            } else {
                // Not a mark after all: what was taken for its beginning is the beginning of the first line.
                self.bom = BomState::Done;
                self.line.extend_from_slice(BOM.get(..seen).unwrap_or_default());
            }
        }
        rest
    }
}

// === impl Pending ===

impl Pending {
    /// Appends a data line; `false` when that made the event too long to keep.
    fn add_data(&mut self, value: &[u8], start: u64) -> bool {
        if self.broken {
            return true;
        }
        if self.data.len() + value.len() >= EVENT_LEN_MAX {
            self.give_up();
            return false;
        }
        if self.has_data {
            self.data.push(b'\n');
            self.data_start = None;
        } else {
            self.data_start = Some(start);
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        true
    }

    fn give_up(&mut self) {
        self.broken = true;
        self.data = Vec::new();
    }
}

/// Divides a line at its first colon; exactly one space after the colon is not part of the value.
#[inline]
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    if let Some(value) = line.strip_prefix(b"data:") {
        return (b"data", value.strip_prefix(b" ").unwrap_or(value));
    }
    match memchr(b':', line) {
        Some(colon) => {
            let (field, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            (field, value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, b""),
    }
}

#[cfg(test)]
mod tests;
