//! How a request ended: a closed set, decided once for each request.

use crate::labels::labels;

/// Which of the four deadlines ran out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TimeoutKind {
    /// No connection to the replica in time.
    Connect,
    /// Connected, but no response head in time.
    FirstByte,
    /// The stream stood still for too long.
    Idle,
    /// The whole request took too long.
    Total,
}

labels! {
    /// How a request ended.
    Outcome {
        /// The whole answer was produced; a client that left after the terminal event counts as served.
        Success = "success",
        /// The replica or we answered 4xx: the request was at fault.
        ClientError = "client_error",
        /// The replica answered 5xx, refused the connection or broke it before the answer's head.
        UpstreamError = "upstream_error",
        /// An error event inside a stream that had begun with 200.
        StreamError = "stream_error",
        /// The answer ended with neither a terminal marker nor a finish reason for each choice.
        UpstreamTruncated = "upstream_truncated",
        /// The client left before the answer was complete.
        ClientCancelled = "client_cancelled",
        /// No connection to the replica in time.
        TimeoutConnect = "timeout_connect",
        /// No response head in time.
        TimeoutFirstByte = "timeout_first_byte",
        /// No byte for too long in the middle of an answer.
        TimeoutIdle = "timeout_idle",
        /// The whole request took too long.
        TimeoutTotal = "timeout_total",
        /// We refused it: a limit was reached (429, 503).
        Rejected = "rejected",
        /// No replica was there to take it.
        NoReplica = "no_replica",
        /// We ended it: a shutdown, or a failure of our own.
        Abandoned = "abandoned",
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether the serving side failed: the numerator of the failure ratio. Client errors and clients that
    /// left are not failures.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::ClientError | Self::ClientCancelled)
    }
}

impl From<TimeoutKind> for Outcome {
    fn from(kind: TimeoutKind) -> Self {
        match kind {
            TimeoutKind::Connect => Self::TimeoutConnect,
            TimeoutKind::FirstByte => Self::TimeoutFirstByte,
            TimeoutKind::Idle => Self::TimeoutIdle,
            TimeoutKind::Total => Self::TimeoutTotal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_read_back_and_only_ours_and_the_replicas_are_failures() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        let innocent: Vec<_> = Outcome::ALL
            .iter()
            .filter(|outcome| !outcome.is_failure())
            .collect();
        assert_eq!(
            innocent,
            [
                &Outcome::Success,
                &Outcome::ClientError,
                &Outcome::ClientCancelled
            ]
        );
    }

    #[test]
    fn each_deadline_is_its_own_outcome() {
        assert_eq!(Outcome::from(TimeoutKind::Idle).as_str(), "timeout_idle");
        assert_eq!(Outcome::from(TimeoutKind::Connect).as_str(), "timeout_connect");
    }
}
