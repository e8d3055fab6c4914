//! One streamed answer: framing, dialect, times and the usage chunk's removal, put together.

use std::borrow::Cow;
use std::time::Instant;

use record::{Dialect, Flags, Usage};

use crate::clock::{Carried, TokenClock};
use crate::dialect::{Answer, Reader, Reading, UsagePart};
use crate::observation::{Ending, Observation, Sent};
use crate::request::UsageStrip;
use crate::sse::{Event, Framer, Framing};
use crate::strip::{Cut, Forward, Strip};
use crate::usage::Terms;

/// Watches a stream as it passes.
///
/// Call [`push`](Self::push) for each read from the replica, [`finish`](Self::finish) when no more can come,
/// and [`into_observation`](Self::into_observation) once, however it ended. Nothing here fails: what cannot
/// be read is counted and forwarded. A read whose events are whole costs no allocation, unless something of
/// it is taken out.
///
/// Memory is bounded: a line that has not ended and the collected lines of its event are kept up to
/// [`EVENT_LEN_MAX`](crate::EVENT_LEN_MAX) each, and as much again of what is held back while `usage` members
/// are taken out (16 KiB while only the usage chunk is). What is longer passes unread. So a stream never has
/// more than 3 MiB, 6 MiB with running counts (`tests/bounds.rs`).
#[derive(Debug)]
pub struct ObservedStream {
    framer: Framer,
    reader: Reader,
    kind: StreamKind,
    clock: TokenClock,
    answer: Answer,
    strip: Option<Strip>,
    /// What is taken out of the running read; its room is kept.
    cuts: Vec<Cut>,
    /// Tokens in the first arrival, when a running count tells.
    first_tokens: Option<u64>,
    /// The event that the server's timings belong to, if the usage chunk comes next.
    finish: Option<Finish>,
    malformed: u64,
    bytes: u64,
    /// When the terminal marker arrived, or the last byte.
    ended: Option<Instant>,
    done_at: Option<Instant>,
}

/// What is known about the stream before its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamKind {
    /// How events are read.
    pub dialect: Dialect,
    /// How bytes are divided into events.
    pub framing: Framing,
    /// How many choices were asked for, over all prompts ([`crate::RequestFacts::choices`]).
    pub choices: u32,
    /// How many prompts they answer; each has as many.
    pub prompts: u32,
    /// What is to be taken out.
    pub strip: UsageStrip,
    /// The stream repeats an answer that was generated for another request: nothing in it is counted.
    pub replay: bool,
}

// === impl StreamKind ===

impl StreamKind {
    /// A stream of one choice, of which nothing is taken out.
    #[must_use]
    pub const fn new(dialect: Dialect, framing: Framing) -> Self {
        Self {
            dialect,
            framing,
            choices: 1,
            prompts: 1,
            strip: UsageStrip::Nothing,
            replay: false,
        }
    }
}

// === impl ObservedStream ===

impl ObservedStream {
    /// A watcher at the start of a stream.
    #[must_use]
    pub fn new(kind: StreamKind) -> Self {
        Self {
            framer: Framer::new(kind.framing),
            reader: Reader::new(kind.dialect, kind.choices),
            kind,
            clock: TokenClock::new(),
            answer: Answer::default(),
            strip: Strip::new(kind.strip),
            cuts: Vec::new(),
            first_tokens: None,
            finish: None,
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
        self.cuts.clear();
        let mut seen = Seen::new(self.kind.strip, &mut self.cuts, &mut self.finish);
        let (reader, answer) = (&mut self.reader, &mut self.answer);
        self.framer
            .push(bytes, &mut |event| seen.event(reader, answer, &event));
        let seen = seen.counts;
        self.note(now, seen);
        match &mut self.strip {
            Some(strip) => {
                let waiting = self.finish.map(|finish| finish.start);
                let open = self.framer.open_event_start();
                strip.pass(bytes, self.bytes, &self.cuts, open, waiting)
            }
            None => Forward::Unchanged,
        }
    }

    /// No more bytes come from the replica: reads an event that lacks its blank line, and gives back what was
    /// held.
    pub fn finish(&mut self) -> Vec<u8> {
        self.cuts.clear();
        let mut seen = Seen::new(self.kind.strip, &mut self.cuts, &mut self.finish);
        let (reader, answer) = (&mut self.reader, &mut self.answer);
        self.framer
            .finish(&mut |event| seen.event(reader, answer, &event));
        let seen = seen.counts;
        if let Some(at) = self.ended {
            self.note(at, seen);
        }
        self.strip
            .as_mut()
            .map_or_else(Vec::new, |strip| strip.finish(self.bytes, &self.cuts))
    }

    /// Whether the answer reached its end: the terminal marker, or a finish reason for each choice.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.answer.is_complete(self.kind.choices)
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
        let usage = self.usage();
        // Per-request TPOT is not attributable when several choices share the stream; vLLM leaves it out as
        // well.
        let later = usage
            .completion
            .filter(|_| self.kind.choices <= 1)
            .and_then(|tokens| tokens.0.checked_sub(self.first_tokens.unwrap_or(1).max(1)));
        let times = self.clock.times(sent.head, sent.upstream, later);
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

    fn usage(&self) -> Usage {
        if self.kind.replay {
            return Usage::default();
        }
        let terms = Terms {
            dialect: self.kind.dialect,
            prompts: self.kind.prompts,
            choices: self.kind.choices,
        };
        Usage {
            token_events: Some(self.clock.token_events()),
            arrivals: Some(self.clock.arrivals()),
            ..self.answer.tally.finish(terms, self.clock.token_events())
        }
    }

    #[inline]
    fn note(&mut self, now: Instant, seen: Counts) {
        self.malformed += seen.malformed;
        if seen.token_events > 0 && !self.kind.replay {
            self.clock.arrival(now, seen.token_events, seen.carried);
            if self.clock.arrivals() == 1 {
                self.first_tokens = self.answer.tally.running_of_one();
            }
        }
        if self.answer.terminal {
            self.done_at.get_or_insert(now);
        }
    }
}

/// The last event of a choice, which waits for the next one.
#[derive(Clone, Copy, Debug)]
struct Finish {
    /// Offset of its first byte.
    start: u64,
    /// Offset of the brace that closes its object.
    brace: u64,
}

/// What the events of one read were, and where they hold what is to be taken out.
#[derive(Debug)]
struct Seen<'a> {
    strip: UsageStrip,
    cuts: &'a mut Vec<Cut>,
    finish: &'a mut Option<Finish>,
    counts: Counts,
}

/// How much the events of one read carried.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    token_events: u64,
    carried: Carried,
    malformed: u64,
}

// === impl Seen ===

impl<'a> Seen<'a> {
    fn new(strip: UsageStrip, cuts: &'a mut Vec<Cut>, finish: &'a mut Option<Finish>) -> Self {
        Self {
            strip,
            cuts,
            finish,
            counts: Counts::default(),
        }
    }

    #[inline]
    fn event(&mut self, reader: &mut Reader, answer: &mut Answer, event: &Event<'_>) {
        let finish = self.finish.take();
        match reader.read(event, answer) {
            Ok(reading) => {
                self.counts.token_events += u64::from(reading.carried != Carried::Nothing);
                self.counts.carried = self.counts.carried.max(reading.carried);
                if self.strip != UsageStrip::Nothing {
                    self.take_out(reading, event, finish);
                }
            }
            Err(_) => self.counts.malformed += 1,
        }
    }

    /// Notes what of an event is to be taken out. `finish` is the event before it, when that waits.
    fn take_out(&mut self, reading: Reading, event: &Event<'_>, finish: Option<Finish>) {
        let offset = |data: u64, at: usize| data + u64::try_from(at).unwrap_or(0);
        match (reading.usage, event.data_start) {
            (UsagePart::Chunk { timings }, _) if self.strip.takes_chunk() => {
                let timings = timings.and_then(|place| event.data.get(place));
                if let (Some(finish), Some(timings)) = (finish, timings) {
                    self.cuts.push(Cut {
                        from: finish.brace,
                        to: finish.brace,
                        instead: [&b",\"timings\":"[..], timings].concat().into(),
                        event: false,
                    });
                }
                self.cuts.push(Cut {
                    from: event.start,
                    to: event.end,
                    instead: Cow::Borrowed(b""),
                    event: true,
                });
            }
            (UsagePart::Member(member), Some(data)) if self.strip.takes_members() => self.cuts.push(Cut {
                from: offset(data, member.range.start),
                to: offset(data, member.range.end),
                instead: Cow::Borrowed(member.instead.as_bytes()),
                event: false,
            }),
            _ => {}
        }
        if let (true, Some(data), Some(brace)) =
            (self.strip.takes_chunk(), event.data_start, reading.timings_end)
        {
            *self.finish = Some(Finish {
                start: event.start,
                brace: offset(data, brace),
            });
        }
    }
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
