//! One streamed answer: framing, dialect, times and the usage chunk's removal, put together.

use std::time::Instant;

use record::{Dialect, Flags};

use crate::clock::{Carried, TokenClock};
use crate::dialect::{Answer, Reader};
use crate::observation::{Ending, Observation, Sent};
use crate::sse::{Event, Framer, Framing};
use crate::strip::{Forward, Strip};

/// Watches a stream as it passes.
///
/// Call [`push`](Self::push) for each read from the replica, [`finish`](Self::finish) when no more can come,
/// and [`into_observation`](Self::into_observation) once, however it ended. Nothing here fails: what cannot
/// be read is counted and forwarded. A read whose events are whole costs no allocation.
#[derive(Debug)]
pub struct ObservedStream {
    framer: Framer,
    reader: Reader,
    anthropic: bool,
    choices: u32,
    clock: TokenClock,
    answer: Answer,
    strip: Option<Strip>,
    malformed: u64,
    bytes: u64,
    /// When the terminal marker arrived, or the last byte.
    ended: Option<Instant>,
    done_at: Option<Instant>,
}

/// What is known about the stream before its first byte.
#[derive(Clone, Copy, Debug)]
pub struct StreamKind {
    /// How events are read.
    pub dialect: Dialect,
    /// How bytes are divided into events.
    pub framing: Framing,
    /// How many choices were asked for.
    pub choices: u32,
    /// Whether the usage chunk is to be taken out.
    pub strip_usage: bool,
}

// === impl ObservedStream ===

impl ObservedStream {
    /// A watcher at the start of a stream.
    #[must_use]
    pub fn new(kind: StreamKind) -> Self {
        Self {
            framer: Framer::new(kind.framing),
            reader: Reader::new(kind.dialect, kind.choices),
            anthropic: kind.dialect == Dialect::Anthropic,
            choices: kind.choices,
            clock: TokenClock::new(),
            answer: Answer::default(),
            strip: kind.strip_usage.then(Strip::default),
            malformed: 0,
            bytes: 0,
            ended: None,
            done_at: None,
        }
    }

    /// Reads the bytes that arrived at `now` and says what goes to the client.
    #[inline]
    pub fn push(&mut self, now: Instant, bytes: &[u8]) -> Forward {
        if bytes.is_empty() {
            return Forward::Unchanged;
        }
        self.clock.bytes(now);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        self.ended = Some(now);
        let mut seen = Seen::default();
        let (reader, answer) = (&mut self.reader, &mut self.answer);
        self.framer
            .push(bytes, &mut |event| seen.event(reader, answer, &event));
        self.note(now, &seen);
        match &mut self.strip {
            Some(strip) => strip.pass(bytes, self.bytes, seen.usage_only, self.framer.open_event_start()),
            None => Forward::Unchanged,
        }
    }

    /// No more bytes come from the replica: reads an event that lacks its blank line, and gives back what was
    /// held.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut seen = Seen::default();
        let (reader, answer) = (&mut self.reader, &mut self.answer);
        self.framer
            .finish(&mut |event| seen.event(reader, answer, &event));
        if let Some(at) = self.ended {
            self.note(at, &seen);
        }
        self.strip
            .as_mut()
            .map_or_else(Vec::new, |strip| strip.finish(seen.usage_only.is_some()))
    }

    /// Whether the answer reached its end: the terminal marker, or a finish reason for each choice.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.answer.is_complete(self.choices)
    }

    /// The model that the answer named, as soon as it did.
    #[must_use]
    pub const fn model(&self) -> Option<&record::Name> {
        self.answer.model.as_ref()
    }

    /// Token events seen so far.
    #[must_use]
    pub const fn token_events(&self) -> u64 {
        self.clock.token_events()
    }

    /// Whether the stream stands between two events, so that an event of our own may follow.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.framer.at_boundary()
    }

    /// Everything that was learnt, with times counted from `sent`.
    #[must_use]
    pub fn into_observation(self, sent: Sent) -> Observation {
        let complete = self.is_complete();
        let mut usage = self
            .answer
            .tally
            .finish(self.anthropic, self.clock.token_events());
        usage.token_events = Some(self.clock.token_events());
        usage.arrivals = Some(self.clock.arrivals());
        // Per-request TPOT is not attributable when several choices share the stream; vLLM leaves it out as
        // well.
        let single = usage
            .completion
            .filter(|_| self.choices <= 1)
            .map(|tokens| tokens.0);
        let times = self.clock.times(sent.head, sent.upstream, single);
        let mut flags = Flags::default();
        for (set, flag) in [
            (self.malformed > 0, Flags::PARSE_ERROR),
            (self.framer.too_long() > 0, Flags::LINE_TOO_LONG),
            (!self.answer.terminal, Flags::NO_DONE),
            (self.strip.is_some(), Flags::USAGE_INJECTED),
        ] {
            if set {
                flags.insert(flag);
            }
        }
        Observation {
            model: self.answer.model,
            finish: self.answer.finish,
            ending: match (&self.answer.error, complete) {
                (Some(_), _) => Ending::Error,
                (None, true) => Ending::Complete,
                (None, false) => Ending::Cut,
            },
            error: self.answer.error,
            terminal: Some(self.answer.terminal),
            times,
            gaps: self.clock.into_gaps(),
            usage,
            engine: self.answer.engine,
            flags,
            malformed: self.malformed,
            too_long: self.framer.too_long(),
            removed: self.strip.as_ref().map_or(0, Strip::removed),
            ended: self.done_at.or(self.ended),
        }
    }

    fn note(&mut self, now: Instant, seen: &Seen) {
        self.clock.arrival(now, seen.token_events, seen.carried);
        self.malformed += seen.malformed;
        if self.answer.terminal {
            self.done_at.get_or_insert(now);
        }
    }
}

/// What the events of one read were.
#[derive(Debug, Default)]
struct Seen {
    token_events: u64,
    carried: Carried,
    malformed: u64,
    usage_only: Option<(u64, u64)>,
}

// === impl Seen ===

impl Seen {
    #[inline]
    fn event(&mut self, reader: &mut Reader, answer: &mut Answer, event: &Event<'_>) {
        match reader.read(event, answer) {
            Ok(reading) => {
                self.token_events += u64::from(reading.carried != Carried::Nothing);
                self.carried = self.carried.max(reading.carried);
                if reading.usage_only {
                    self.usage_only = Some((event.start, event.end));
                }
            }
            Err(_) => self.malformed += 1,
        }
    }
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
