//! The health of one replica: a state machine that knows neither clock nor sockets.
//!
//! Two kinds of evidence move it. Probes say whether the server answers at all; requests say whether it
//! answers well. A replica that cannot be reached is out at once and comes back by its probes. One that is
//! reachable and fails requests is ejected for a time that doubles, and comes back by one request that tries
//! it. [`Standing`] is what the choice of a replica reads.

use std::fmt;
use std::time::{Duration, Instant};

use record::ReplicaState;

use crate::settings::HealthSettings;

/// Something that was learnt about a replica, or time that passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A probe was answered well.
    ProbePassed,
    /// A probe was answered with 5xx, or with what is no HTTP.
    ProbeFailed,
    /// A probe was not answered in time.
    ProbeSilent,
    /// No connection could be made, by a request or a probe: nobody listens.
    Refused,
    /// No connection came about in time.
    Vanished,
    /// A request was answered with something below 500; `trial` when it was the one that tries the replica.
    Answered { trial: bool },
    /// A request failed: 5xx, a broken connection, no answer in time.
    Failed { trial: bool },
    /// First tokens came far later than those of its peers.
    Slow,
    /// Time has passed.
    Tick,
}

/// What a replica may be given, from best to worst.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Standing {
    /// Requests.
    Open,
    /// One request, to see how it fares.
    Trial,
    /// Nothing, unless so many replicas are out that the evidence itself is in doubt.
    Doubtful,
    /// Nothing: nobody listens there.
    Gone,
}

/// Where a replica stands, with what is known then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// No probe has been answered yet: takes requests.
    Unknown,
    /// Takes requests.
    Up,
    /// Reachable, but its requests fail.
    Ejected { until: Instant },
    /// The ejection is over; one request may try it, or is trying it.
    HalfOpen { trying: bool },
    /// Out until its probes pass.
    Down { why: Why, passed: u32 },
}

/// Why a replica is down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Why {
    /// Its probes are answered badly.
    Ill,
    /// Its probes are not answered.
    Silent,
    /// Nobody listens there. What it is working on may still be finished: servers close their port first.
    Refused,
    /// The machine does not answer.
    Vanished,
}

/// The health of one replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    phase: Phase,
    /// Failed probes in a row.
    probes_failed: u32,
    /// Failed requests in a row.
    requests_failed: u32,
    /// Ejections that followed each other closely.
    ejections: u32,
    /// An ejection after this moment starts again with the shortest time.
    forgiven_at: Option<Instant>,
}

// === impl Health ===

impl Health {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Unknown,
            probes_failed: 0,
            requests_failed: 0,
            ejections: 0,
            forgiven_at: None,
        }
    }

    /// The state as people see it.
    pub(crate) const fn state(&self) -> ReplicaState {
        match self.phase {
            Phase::Unknown => ReplicaState::Unknown,
            Phase::Up => ReplicaState::Up,
            Phase::Ejected { .. } => ReplicaState::Ejected,
            Phase::HalfOpen { .. } => ReplicaState::HalfOpen,
            Phase::Down { .. } => ReplicaState::Down,
        }
    }

    /// What the replica may be given now.
    pub(crate) const fn standing(&self) -> Standing {
        match self.phase {
            Phase::Unknown | Phase::Up => Standing::Open,
            Phase::HalfOpen { trying: false } => Standing::Trial,
            Phase::Ejected { .. } | Phase::HalfOpen { trying: true } => Standing::Doubtful,
            Phase::Down { why, .. } => match why {
                Why::Ill | Why::Silent => Standing::Doubtful,
                Why::Refused | Why::Vanished => Standing::Gone,
            },
        }
    }

    /// Whether nothing is heard of it, not even that nobody listens: what it was given may wait for ever.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(
            self.phase,
            Phase::Down {
                why: Why::Silent | Why::Vanished,
                ..
            }
        )
    }

    /// Whether one more good answer would change nothing.
    pub(crate) const fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Up) && self.requests_failed == 0
    }

    /// The request that tried the replica ended without saying anything about it: its client left.
    pub(crate) fn trial_over(&mut self) {
        if self.phase == (Phase::HalfOpen { trying: true }) {
            self.phase = Phase::HalfOpen { trying: false };
        }
    }

    /// Takes the one trial of a half-open replica; `false` when there is none to take.
    pub(crate) fn take_trial(&mut self) -> bool {
        let free = self.phase == Phase::HalfOpen { trying: false };
        if free {
            self.phase = Phase::HalfOpen { trying: true };
        }
        free
    }

    /// Moves on. `true` when the state that people see has changed.
    pub(crate) fn on(&mut self, event: Event, now: Instant, settings: &HealthSettings) -> bool {
        let before = self.state();
        match event {
            Event::ProbePassed => self.probe_passed(settings),
            Event::ProbeFailed => self.probe_failed(Why::Ill, settings),
            Event::ProbeSilent => self.probe_failed(Why::Silent, settings),
            Event::Refused => self.fall(Why::Refused),
            Event::Vanished => self.fall(Why::Vanished),
            Event::Answered { trial } => self.answered(trial),
            Event::Failed { trial } => self.failed(trial, now, settings),
            Event::Slow => {
                if self.phase == Phase::Up {
                    self.eject(now, settings);
                }
            }
            Event::Tick => {
                if matches!(self.phase, Phase::Ejected { until } if now >= until) {
                    self.phase = Phase::HalfOpen { trying: false };
                }
            }
        }
        before != self.state()
    }

    fn probe_passed(&mut self, settings: &HealthSettings) {
        self.probes_failed = 0;
        match &mut self.phase {
            Phase::Unknown => self.phase = Phase::Up,
            Phase::Down { passed, .. } => {
                *passed = passed.saturating_add(1);
                if *passed >= settings.passes {
                    self.requests_failed = 0;
                    self.phase = Phase::Up;
                }
            }
            // Probes were answered all along; only a request can show that requests are.
            Phase::Up | Phase::Ejected { .. } | Phase::HalfOpen { .. } => {}
        }
    }

    fn probe_failed(&mut self, why: Why, settings: &HealthSettings) {
        self.probes_failed = self.probes_failed.saturating_add(1);
        match &mut self.phase {
            Phase::Down { passed, .. } => *passed = 0,
            _ if self.probes_failed >= settings.failures => self.fall(why),
            _ => {}
        }
    }

    const fn fall(&mut self, why: Why) {
        self.phase = Phase::Down { why, passed: 0 };
    }

    fn answered(&mut self, trial: bool) {
        self.requests_failed = 0;
        let tried = trial && matches!(self.phase, Phase::HalfOpen { .. });
        if tried || self.phase == Phase::Unknown {
            self.phase = Phase::Up;
        }
    }

    fn failed(&mut self, trial: bool, now: Instant, settings: &HealthSettings) {
        self.requests_failed = self.requests_failed.saturating_add(1);
        let too_often = self.requests_failed >= settings.eject_after;
        match self.phase {
            Phase::HalfOpen { .. } if trial => self.eject(now, settings),
            Phase::Unknown | Phase::Up if too_often => self.eject(now, settings),
            _ => {}
        }
    }

    fn eject(&mut self, now: Instant, settings: &HealthSettings) {
        let again = self.forgiven_at.is_some_and(|forgiven| now < forgiven);
        self.ejections = if again {
            self.ejections.saturating_add(1)
        } else {
            1
        };
        let doubled = 1_u32.checked_shl(self.ejections - 1).unwrap_or(u32::MAX);
        let span = settings
            .eject_for
            .saturating_mul(doubled)
            .min(settings.eject_max.max(settings.eject_for));
        let until = now.checked_add(span).unwrap_or(now);
        self.requests_failed = 0;
        self.forgiven_at = until.checked_add(settings.eject_max);
        self.phase = Phase::Ejected { until };
    }

    /// How long the replica stays out by itself, when it does.
    pub(crate) fn ejected_for(&self, now: Instant) -> Option<Duration> {
        match self.phase {
            Phase::Ejected { until } => Some(until.saturating_duration_since(now)),
            _ => None,
        }
    }
}

// === impl Standing ===

impl Standing {
    /// As a number, for an atomic that the choice reads without a lock.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Trial => 1,
            Self::Doubtful => 2,
            Self::Gone => 3,
        }
    }

    /// The standing behind a code of [`Self::code`].
    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Open,
            1 => Self::Trial,
            2 => Self::Doubtful,
            _ => Self::Gone,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProbePassed => "it answers its probe",
            Self::ProbeFailed => "its probes fail",
            Self::ProbeSilent => "its probes are not answered",
            Self::Refused => "nobody listens there",
            Self::Vanished => "no connection in time",
            Self::Answered { .. } => "it answered a request",
            Self::Failed { .. } => "its requests fail",
            Self::Slow => "its first tokens come far later than its peers'",
            Self::Tick => "its time is over",
        })
    }
}

#[cfg(test)]
mod tests;
