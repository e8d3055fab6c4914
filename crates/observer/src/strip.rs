//! Takes out again what is in a stream only because we asked for it: the usage chunk, or `usage` members.
//!
//! The only place where bytes that go to the client differ from those that came. While it is at work, the
//! beginning of an event is held back until its end has come (a client cannot read half an event anyway);
//! everything else passes at once. One whole event waits for the next one: the last of llama.cpp's server
//! before the usage chunk, which it sends in the same write (`docs/adr/0020-timings-of-llama-cpp.md`).

use std::borrow::Cow;

use crate::request::UsageStrip;
use crate::sse::EVENT_LEN_MAX;

/// Longest beginning of an event that is held back while only the usage chunk is looked for. Why this number:
/// a usage chunk has 200 to 600 bytes; what is longer is none, and goes on without waiting for its end.
const HELD_MAX: usize = 16 * 1024;

/// What goes to the client in place of the bytes that came.
#[derive(Debug, Eq, PartialEq)]
pub enum Forward {
    /// The bytes as they came.
    Unchanged,
    /// Other bytes; maybe none.
    Instead(Vec<u8>),
}

/// Bytes of the stream that do not go to the client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cut {
    /// Offset of the first byte.
    pub(crate) from: u64,
    /// Offset behind the last byte.
    pub(crate) to: u64,
    /// What goes to the client in their place.
    pub(crate) instead: Cow<'static, [u8]>,
    /// It is a whole event: an LF behind its last CR belongs to it.
    pub(crate) event: bool,
}

/// The bytes between the replica and the client.
#[derive(Debug)]
pub(crate) struct Strip {
    /// Offset in the stream of the first byte that was not handed on.
    handed_on: u64,
    /// Bytes that came and were not handed on.
    held: Vec<u8>,
    held_max: usize,
    /// The removed event ended with a CR; an LF that follows belongs to it.
    swallow_lf: bool,
    /// Pieces that were taken out.
    removed: u64,
}

// === impl Strip ===

impl Strip {
    /// A stripper at the start of a stream; `None` when nothing is to be taken out.
    pub(crate) fn new(strip: UsageStrip) -> Option<Self> {
        // A member may stand at the end of an event with thousands of log-probabilities.
        let held_max = match strip {
            UsageStrip::Nothing => return None,
            UsageStrip::Chunk => HELD_MAX,
            UsageStrip::Members | UsageStrip::ChunkAndMembers => EVENT_LEN_MAX,
        };
        Some(Self {
            handed_on: 0,
            held: Vec::new(),
            held_max,
            swallow_lf: false,
            removed: 0,
        })
    }

    /// How many usage chunks and members were taken out.
    pub(crate) const fn removed(&self) -> u64 {
        self.removed
    }

    /// Decides on `bytes`, which end at offset `end` of the stream. `cuts` are the pieces to take out, in
    /// order; `open` is the offset where the event begins that has not ended; `waiting` that of an event
    /// before it that waits for the next one.
    pub(crate) fn pass(
        &mut self,
        bytes: &[u8],
        end: u64,
        cuts: &[Cut],
        open: u64,
        waiting: Option<u64>,
    ) -> Forward {
        let start = self.handed_on;
        let open = match waiting {
            Some(at) if at >= start && len(end.saturating_sub(at)) <= self.held_max => at.min(open),
            _ => open,
        };
        let lf = std::mem::take(&mut self.swallow_lf) && self.held.is_empty() && bytes.starts_with(b"\n");
        let begun = open < start;
        let wait = if begun || len(end.saturating_sub(open)) > self.held_max {
            end
        } else {
            open.min(end)
        };
        // An event whose beginning went on because it was too long to hold back stays whole.
        let is_whole = |cut: &&Cut| cut.from >= start;
        let nothing_cut = cuts.iter().filter(is_whole).count() == 0;
        if nothing_cut && !lf && self.held.is_empty() && wait == end {
            self.handed_on = end;
            return Forward::Unchanged;
        }
        if nothing_cut && !lf && wait == start {
            // Each byte is copied once, however many reads an event takes.
            self.held.extend_from_slice(bytes);
            return Forward::Instead(Vec::new());
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let piece = |from: u64, to: u64| {
            all.get(len(from - start)..len(to.max(from) - start))
                .unwrap_or_default()
        };
        let mut out = Vec::with_capacity(all.len());
        let mut at = start + u64::from(lf);
        for cut in cuts.iter().filter(is_whole) {
            out.extend_from_slice(piece(at, cut.from));
            out.extend_from_slice(&cut.instead);
            at = cut.to;
            self.removed += u64::from(cut.to > cut.from);
            self.swallow_lf = cut.event && cut.to == end && bytes.ends_with(b"\r");
        }
        out.extend_from_slice(piece(at, wait));
        self.held = piece(wait.max(at), end).to_vec();
        self.handed_on = wait;
        Forward::Instead(out)
    }

    /// The stream ended at offset `end`: what was held back goes on, without the `cuts` in it.
    pub(crate) fn finish(&mut self, end: u64, cuts: &[Cut]) -> Vec<u8> {
        match self.pass(&[], end, cuts, end, None) {
            Forward::Unchanged => Vec::new(),
            Forward::Instead(bytes) => bytes,
        }
    }
}

fn len(span: u64) -> usize {
    usize::try_from(span).unwrap_or(usize::MAX)
}
