//! Takes the usage chunk out again that we asked for and the client did not.
//!
//! The only place where bytes that go to the client differ from those that came. While it is at work, the
//! beginning of an event is held back until its end has come (a client cannot read half an event anyway);
//! everything else passes at once.

/// Longest beginning of an event that is held back. Why this number: a usage chunk has 200 to 600 bytes; what
/// is longer is none, and goes on without waiting for its end.
const HELD_MAX: usize = 16 * 1024;

/// What goes to the client in place of the bytes that came.
#[derive(Debug, Eq, PartialEq)]
pub enum Forward {
    /// The bytes as they came.
    Unchanged,
    /// Other bytes; maybe none.
    Instead(Vec<u8>),
}

/// The bytes between the replica and the client.
#[derive(Debug, Default)]
pub(crate) struct Strip {
    /// Offset in the stream of the first byte that was not handed on.
    handed_on: u64,
    /// Bytes that came and were not handed on.
    held: Vec<u8>,
    /// The removed event ended with a CR; an LF that follows belongs to it.
    swallow_lf: bool,
    /// Events that were taken out.
    removed: u64,
}

// === impl Strip ===

impl Strip {
    /// How many events were taken out.
    pub(crate) const fn removed(&self) -> u64 {
        self.removed
    }

    /// Decides on `bytes`, which end at offset `end` of the stream. `cut` is the range of an event to take
    /// out, `open` the offset where the event begins that has not ended.
    pub(crate) fn pass(&mut self, bytes: &[u8], end: u64, cut: Option<(u64, u64)>, open: u64) -> Forward {
        let mut start = self.handed_on;
        let lf = std::mem::take(&mut self.swallow_lf) && self.held.is_empty() && bytes.starts_with(b"\n");
        // An event whose beginning went on because it was too long to hold back stays whole.
        let cut = cut.filter(|(from, _)| *from >= start);
        let begun = open < start;
        let wait = if begun || len(end.saturating_sub(open)) > HELD_MAX {
            end
        } else {
            open.min(end)
        };
        if cut.is_none() && !lf && self.held.is_empty() && wait == end {
            self.handed_on = end;
            return Forward::Unchanged;
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(all.len());
        if lf {
            start += 1;
            all.remove(0);
        }
        let piece = |from: u64, to: u64| {
            all.get(len(from - start)..len(to.max(from) - start))
                .unwrap_or_default()
        };
        match cut {
            Some((from, to)) => {
                out.extend_from_slice(piece(start, from));
                out.extend_from_slice(piece(to, wait));
                self.removed += 1;
                self.swallow_lf = to == end && bytes.ends_with(b"\r");
            }
            None => out.extend_from_slice(piece(start, wait)),
        }
        self.held = piece(wait, end).to_vec();
        self.handed_on = wait;
        Forward::Instead(out)
    }

    /// The stream ended: what was held back goes on, unless `cut` says that it is the event to take out.
    pub(crate) fn finish(&mut self, cut: bool) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if cut && !held.is_empty() {
            self.removed += 1;
            return Vec::new();
        }
        held
    }
}

fn len(span: u64) -> usize {
    usize::try_from(span).unwrap_or(usize::MAX)
}
