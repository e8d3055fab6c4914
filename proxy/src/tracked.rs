//! One request from its first byte to its record.
//!
//! A [`Tracked`] lives in the request's context. Its `Drop` sends the record, so that nothing can end without
//! one: not a panic, not a shutdown that cuts the task. Who knows how the request ended says so once with
//! [`Tracked::end`]; when nobody did, we stopped first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use observer::{End, Forward, Observation, ObservedBody, ObservedStream, RequestFacts, Sent, outcome};
use record::{
    Attempt, AttemptEnd, Attempts, Dialect, Endpoint, Flags, Identity, MetricRecord, Name, Outcome,
    UnixMillis,
};

use crate::clock;
use crate::routed::Routed;
use crate::shared::Shared;

/// Everything that one request leaves behind.
#[derive(Debug)]
pub(crate) struct Tracked {
    shared: Arc<Shared>,
    /// The head was parsed (t0).
    pub(crate) began: Instant,
    began_at: UnixMillis,
    pub(crate) id: Name,
    pub(crate) trace_id: Option<[u8; 16]>,
    pub(crate) endpoint: Endpoint,
    pub(crate) dialect: Dialect,
    /// The answer was generated for another request.
    pub(crate) replay: bool,
    pub(crate) facts: RequestFacts,
    pub(crate) routed: Routed,
    pub(crate) identity: Identity,
    pub(crate) flags: Flags,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    /// The whole request body was there (tb).
    pub(crate) uploaded: Option<Instant>,
    /// The pool that was asked.
    pub(crate) pool: Option<Name>,
    /// The first replica was chosen (tq).
    pub(crate) admitted: Option<Instant>,
    pub(crate) attempts: u16,
    /// The attempts that are over, once one has failed.
    attempt_log: Vec<Attempt>,
    /// The replica of the last attempt, and when it was chosen.
    pub(crate) replica: Option<(Name, Instant)>,
    pub(crate) connect: Option<Duration>,
    /// The last request byte went to the replica (tu).
    pub(crate) sent: Option<Instant>,
    pub(crate) status: Option<u16>,
    pub(crate) answer: Watched,
    /// The replica's answer came to its end.
    pub(crate) whole: bool,
    pub(crate) overhead: Duration,
    /// Time blocked on the client since the answer's head.
    pub(crate) client_stall: Option<Duration>,
    pub(crate) error_type: Option<Name>,
    ended: Option<(End, Instant)>,
}

/// The answer, by how it is read.
#[derive(Debug, Default)]
pub(crate) enum Watched {
    /// No head has come.
    #[default]
    Nothing,
    /// Forwarded, timed, not read.
    Unread {
        first: Option<Instant>,
        last: Option<Instant>,
    },
    Stream(Box<ObservedStream>),
    Body(Box<ObservedBody>),
}

// === impl Tracked ===

impl Tracked {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Relaxed);
        Self {
            shared,
            began: clock::now(),
            began_at: clock::wall(),
            id: Name::from(""),
            trace_id: None,
            endpoint: Endpoint::Other,
            dialect: Dialect::Other,
            replay: false,
            facts: RequestFacts::default(),
            routed: Routed::default(),
            identity: Identity::default(),
            flags: Flags::default(),
            request_bytes: 0,
            response_bytes: 0,
            uploaded: None,
            pool: None,
            admitted: None,
            attempts: 0,
            attempt_log: Vec::new(),
            replica: None,
            connect: None,
            sent: None,
            status: None,
            answer: Watched::Nothing,
            whole: false,
            overhead: Duration::ZERO,
            client_stall: None,
            error_type: None,
            ended: None,
        }
    }

    /// The request began earlier than this value was made: its body was read before (chunked uploads).
    pub(crate) fn began_earlier(&mut self, began: Instant) {
        self.began_at = self.began_at.minus(self.began.saturating_duration_since(began));
        self.began = began;
    }

    /// The running attempt is over.
    pub(crate) fn attempt_ended(&mut self, end: AttemptEnd, now: Instant) {
        if let Some((replica, chosen)) = &self.replica {
            self.attempt_log.push(Attempt {
                replica: Arc::clone(replica),
                end,
                span: now.saturating_duration_since(*chosen),
            });
        }
    }

    /// Every attempt, when one of them failed.
    fn take_attempts(&mut self, end: End, ended: Instant) -> Vec<Attempt> {
        let last = match end {
            End::ClientGone => AttemptEnd::ClientGone,
            End::Abandoned => AttemptEnd::Abandoned,
            _ => AttemptEnd::Answered,
        };
        if !self.attempt_log.is_empty() && self.attempt_log.len() < usize::from(self.attempts) {
            self.attempt_ended(last, ended);
        }
        std::mem::take(&mut self.attempt_log)
    }

    /// Says how the request ended. The first word holds.
    pub(crate) fn end(&mut self, end: End) {
        if self.ended.is_none() {
            self.ended = Some((end, clock::now()));
        }
    }

    /// Whether somebody said how it ended.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Bytes of the answer arrived; says what goes to the client.
    #[inline]
    pub(crate) fn arrived(&mut self, now: Instant, bytes: &[u8]) -> Forward {
        match &mut self.answer {
            Watched::Stream(stream) => stream.push(now, bytes),
            Watched::Body(body) => {
                body.push(now, bytes);
                Forward::Unchanged
            }
            Watched::Unread { first, last } => {
                first.get_or_insert(now);
                *last = Some(now);
                Forward::Unchanged
            }
            Watched::Nothing => Forward::Unchanged,
        }
    }

    /// No more bytes come from the replica; gives back what was held for the client.
    pub(crate) fn answer_finished(&mut self) -> Vec<u8> {
        match &mut self.answer {
            Watched::Stream(stream) => stream.finish(),
            _ => Vec::new(),
        }
    }

    fn into_observation(answer: Watched, sent: Sent, whole: bool) -> (Observation, bool) {
        let since = |at: Instant| at.saturating_duration_since(sent.head);
        match answer {
            Watched::Nothing => (Observation::unread(None, None), false),
            Watched::Unread { first, last } => (Observation::unread(first.map(since), last), false),
            Watched::Stream(stream) => (stream.into_observation(sent), true),
            Watched::Body(body) => (body.into_observation(sent, whole), false),
        }
    }

    fn record(&mut self) -> MetricRecord {
        let sent = Sent {
            head: self.began,
            upstream: self.sent,
        };
        let (seen, streamed) = Self::into_observation(std::mem::take(&mut self.answer), sent, self.whole);
        let (end, ended) = self.ended.unwrap_or_else(|| (End::Abandoned, clock::now()));
        let outcome = outcome(end, seen.ending, streamed);
        let attempt_log = self.take_attempts(end, ended);
        let span = |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        let mut times = seen.times;
        let over = if outcome == Outcome::Success {
            seen.ended.unwrap_or(ended)
        } else {
            ended
        };
        times.e2e = over.saturating_duration_since(self.began);
        times.upload = span(Some(self.began), self.uploaded);
        times.queue = span(self.uploaded, self.admitted);
        times.connect = self.connect;
        times.overhead = self.overhead;
        times.client_stall = self.client_stall.filter(|_| streamed);
        times.client_gone =
            matches!(end, End::ClientGone).then(|| ended.saturating_duration_since(self.began));
        let mut flags = self.flags;
        flags.insert(seen.flags);
        if outcome != Outcome::Success && self.error_type.is_none() {
            self.error_type = seen.error;
        }
        MetricRecord {
            id: Arc::clone(&self.id),
            started_at: self.began_at,
            trace_id: self.trace_id,
            endpoint: self.endpoint,
            dialect: self.dialect,
            pool: self.pool.take(),
            model_requested: self.facts.model.take(),
            model: seen.model,
            replica: self.replica.take().map(|(name, _)| name),
            attempts: Attempts(self.attempts),
            attempt_log,
            routing: self.routed.finish(outcome, &seen.usage),
            shape: self.facts.shape,
            status: self.status,
            outcome,
            error_type: self.error_type.take(),
            finish_reason: seen.finish,
            terminal: seen.terminal,
            times,
            gaps: seen.gaps,
            usage: seen.usage,
            engine: seen.engine,
            identity: std::mem::take(&mut self.identity),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            good: None,
            flags,
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let record = self.record();
        let ended_at = self.ended.map_or_else(clock::now, |(_, at)| at);
        self.shared.sink.push(record, ended_at);
        // After the push: whoever sees no request in flight finds every record in the queue.
        self.shared.in_flight.fetch_sub(1, Relaxed);
    }
}
