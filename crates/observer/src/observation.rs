//! What was learnt from one answer, and how a request ended.

use std::time::{Duration, Instant};

use record::{Engine, FinishReason, Flags, Name, Outcome, Sketch, TimeoutKind, Times, Usage};

/// Everything that one answer said and showed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The model that answered, by its own word.
    pub model: Option<Name>,
    /// Why choice 0 ended.
    pub finish: Option<FinishReason>,
    /// How far the answer got.
    pub ending: Ending,
    /// The class of an error that the answer reported.
    pub error: Option<Name>,
    /// Whether the terminal marker came; `None` when the answer was not a stream.
    pub terminal: Option<bool>,
    /// The times that the answer's bytes decide; the proxy adds its own.
    pub times: Times,
    /// Gaps between token-bearing arrivals.
    pub gaps: Sketch,
    /// Token counts.
    pub usage: Usage,
    /// What the engine said about itself.
    pub engine: Engine,
    /// What the parser noticed.
    pub flags: Flags,
    /// Events that were not the JSON their dialect promises.
    pub malformed: u64,
    /// Events too long to read.
    pub too_long: u64,
    /// Usage chunks that were taken out.
    pub removed: u64,
    /// When the terminal marker came, else the last byte.
    pub ended: Option<Instant>,
}

/// How far an answer got by what it said itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The terminal marker or every finish reason was there; or a whole body.
    Complete,
    /// It stopped without either.
    Cut,
    /// It reported an error.
    Error,
}

/// When a request began and when the replica had all of it.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The request's head was parsed (t0).
    pub head: Instant,
    /// The last request byte went to the replica that answered.
    pub upstream: Option<Instant>,
}

/// How the transport ended, as the proxy saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The answer went to the client to its last byte, with this status.
    Answered(u16),
    /// The replica broke the connection after the head.
    UpstreamBroke,
    /// No replica gave an answer: refused, reset before the head, unreadable.
    UpstreamFailed,
    /// A deadline towards the replica ran out.
    TimedOut(TimeoutKind),
    /// The client left.
    ClientGone,
    /// We refused it over a limit.
    Rejected,
    /// There was no replica to ask.
    NoReplica,
    /// We refused it as faulty.
    Faulty,
    /// We stopped first.
    Abandoned,
}

// === impl Observation ===

impl Observation {
    /// The observation of an answer that was not read: none came, or its body has no dialect.
    #[must_use]
    pub fn unread(first_byte: Option<Duration>, ended: Option<Instant>) -> Self {
        Self {
            model: None,
            finish: None,
            ending: Ending::Complete,
            error: None,
            terminal: None,
            times: Times {
                ttfb: first_byte,
                ..Times::default()
            },
            gaps: Sketch::default(),
            usage: Usage::default(),
            engine: Engine::default(),
            flags: Flags::default(),
            malformed: 0,
            too_long: 0,
            removed: 0,
            ended,
        }
    }
}

/// Decides how a request ended: from the transport's end and from what the answer said. Decided once, here.
#[must_use]
pub fn outcome(end: End, ending: Ending, streamed: bool) -> Outcome {
    match (end, ending) {
        (End::Abandoned, _) => Outcome::Abandoned,
        (End::Rejected, _) => Outcome::Rejected,
        (End::NoReplica, _) => Outcome::NoReplica,
        (End::Faulty, _) => Outcome::ClientError,
        (End::UpstreamFailed, _) => Outcome::UpstreamError,
        (End::Answered(status), _) if status >= 500 => Outcome::UpstreamError,
        (End::Answered(status), _) if status >= 400 => Outcome::ClientError,
        // vLLM ends a failed stream with an error event inside a 200, and then with `[DONE]`.
        (End::Answered(_) | End::UpstreamBroke | End::ClientGone, Ending::Error) if streamed => {
            Outcome::StreamError
        }
        (End::Answered(_) | End::UpstreamBroke, Ending::Error) => Outcome::UpstreamError,
        // Whoever leaves after the terminal event was served.
        (End::Answered(_) | End::ClientGone | End::TimedOut(_), Ending::Complete) if streamed => {
            Outcome::Success
        }
        (End::UpstreamBroke, Ending::Complete) if streamed => Outcome::Success,
        (End::Answered(_), Ending::Complete) => Outcome::Success,
        (End::Answered(_), Ending::Cut) | (End::UpstreamBroke, _) => Outcome::UpstreamTruncated,
        (End::TimedOut(kind), _) => kind.into(),
        (End::ClientGone, _) => Outcome::ClientCancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_and_every_answer_have_one_outcome() {
        let ends = [
            End::Answered(200),
            End::Answered(404),
            End::Answered(503),
            End::UpstreamBroke,
            End::UpstreamFailed,
            End::TimedOut(TimeoutKind::Connect),
            End::TimedOut(TimeoutKind::FirstByte),
            End::TimedOut(TimeoutKind::Idle),
            End::TimedOut(TimeoutKind::Total),
            End::ClientGone,
            End::Rejected,
            End::NoReplica,
            End::Faulty,
            End::Abandoned,
        ];
        let mut table = String::new();
        for end in ends {
            for (streamed, form) in [(true, "stream"), (false, "body")] {
                let cells = [Ending::Complete, Ending::Cut, Ending::Error]
                    .map(|ending| format!("{ending:?}: {}", outcome(end, ending, streamed)));
                table.push_str(&format!(
                    "{:<22} {form:<6} {}\n",
                    format!("{end:?}"),
                    cells.join(" | ")
                ));
            }
        }
        insta::assert_snapshot!(table);
    }
}
