//! Faults on demand: their names, how they are asked for, and the plan they make for one request.
//!
//! A fault comes from the request header `x-sim-fault: NAME[=VALUE],...`, from a suffix of the model name
//! (`sim-model#cut=3`), from [`crate::Simulator::set_faults`], or by chance ([`FaultRate`]).

use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

/// Something that goes wrong with one request. A count of events starts with the first `data:` line sent, the
/// role chunk included; `None` picks a number at random.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// `status=503`: that status at once, with vLLM's error body and, for 429 and 503, `retry-after: 1`.
    Status(u16),
    /// `hang`: no answer at all, until the client leaves.
    Hang,
    /// `slow-head=MS`: the response head in pieces of 16 bytes, spread over this time.
    SlowHead(Duration),
    /// `ping=MS`: a comment line this often until the first token.
    Ping(Duration),
    /// `stall=MS` or `stall=MS@N`: stands still after N events (3 by default); `stall` alone never goes on.
    Stall {
        /// How long; `None` lasts until the client leaves.
        pause: Option<Duration>,
        /// After how many events.
        after: u64,
    },
    /// `cut=N`: closes the connection after N events, inside the body. `cut=0` closes before the head.
    Cut(Option<u64>),
    /// `end=N`: ends the body properly after N events, without finish reason, usage or `[DONE]`.
    End(Option<u64>),
    /// `reset=N`: a TCP reset after N events. `reset=0` resets before the head.
    Reset(Option<u64>),
    /// `error=N`: an error event inside the 200 after N events, then `[DONE]`.
    Error(Option<u64>),
    /// `malformed=N`: one event of broken JSON after N events.
    Malformed(Option<u64>),
    /// `split`: each event in HTTP chunks of 1, 3, 5, 7 ... bytes, one write each.
    Split,
    /// `coalesce=K`: K events in one HTTP chunk and one write.
    Coalesce(u64),
    /// `no-usage`: no usage, whatever the request asked for.
    NoUsage,
    /// `no-done`: no `[DONE]` at the end.
    NoDone,
}

/// A fault and the share of requests that it strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultRate {
    /// What happens.
    pub fault: Fault,
    /// How often, from 0 to 1.
    pub rate: f64,
}

/// All faults of one request, ready to play.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) status: Option<u16>,
    pub(crate) hang: bool,
    pub(crate) slow_head: Option<Duration>,
    pub(crate) ping: Option<Duration>,
    pub(crate) stall: Option<(u64, Option<Duration>)>,
    pub(crate) break_after: Option<(u64, Break)>,
    pub(crate) malformed: Option<u64>,
    pub(crate) split: bool,
    pub(crate) coalesce: Option<u64>,
    pub(crate) no_usage: bool,
    pub(crate) no_done: bool,
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Break {
    Cut,
    End,
    Reset,
    Error,
}

/// Events before a stall when the request does not say.
const STALL_AFTER: u64 = 3;
/// Time between pings when the request does not say: llama.cpp's server pings every two seconds.
const PING_EVERY: Duration = Duration::from_secs(2);
/// How long a slow head takes when the request does not say.
const SLOW_HEAD: Duration = Duration::from_secs(1);
/// Events per write when the request does not say.
const COALESCE: u64 = 4;

// === impl Fault ===

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.trim().split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        let number = |value: &str| {
            value
                .parse::<u64>()
                .map_err(|_| format!("fault `{text}`: `{value}` is not a whole number"))
        };
        let count = || value.map(number).transpose();
        let span = |default: Duration| match value {
            Some(value) => number(value).map(Duration::from_millis),
            None => Ok(default),
        };
        Ok(match name {
            "status" => Self::Status(match value {
                Some(value) => value
                    .parse()
                    .ok()
                    .filter(|status| (400..600).contains(status))
                    .ok_or_else(|| format!("fault `{text}`: the status must lie in 400..599"))?,
                None => 500,
            }),
            "hang" => Self::Hang,
            "slow-head" => Self::SlowHead(span(SLOW_HEAD)?),
            "ping" => Self::Ping(span(PING_EVERY)?.max(Duration::from_millis(1))),
            "stall" => {
                let (pause, after) = match value.map(|value| value.split_once('@').unwrap_or((value, ""))) {
                    None => (None, STALL_AFTER),
                    Some((pause, "")) => (Some(number(pause)?), STALL_AFTER),
                    Some(("", after)) => (None, number(after)?),
                    Some((pause, after)) => (Some(number(pause)?), number(after)?),
                };
                Self::Stall {
                    pause: pause.map(Duration::from_millis),
                    after,
                }
            }
            "cut" => Self::Cut(count()?),
            "end" => Self::End(count()?),
            "reset" => Self::Reset(count()?),
            "error" => Self::Error(count()?),
            "malformed" => Self::Malformed(count()?),
            "split" => Self::Split,
            "coalesce" => Self::Coalesce(count()?.unwrap_or(COALESCE).max(1)),
            "no-usage" => Self::NoUsage,
            "no-done" => Self::NoDone,
            _ => {
                return Err(format!(
                    "`{name}` is not a fault; known: status, hang, slow-head, ping, stall, cut, end, reset, \
                     error, malformed, split, coalesce, no-usage, no-done"
                ));
            }
        })
    }
}

// === impl FaultRate ===

impl FromStr for FaultRate {
    type Err = String;

    /// Reads `cut=0.01`, or `status=503:0.01` where the fault has a value of its own.
    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || {
            format!("`{text}` is not a fault rate; write it like cut=0.01, or status=503:0.01 with a value")
        };
        let (fault, rate) = text
            .rsplit_once(':')
            .or_else(|| text.rsplit_once('='))
            .ok_or_else(refusal)?;
        let rate: f64 = rate.trim().parse().map_err(|_| refusal())?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("`{text}`: the rate must lie between 0 and 1"));
        }
        Ok(Self {
            fault: fault.parse()?,
            rate,
        })
    }
}

// === impl Plan ===

impl Plan {
    /// Adds a fault; `tokens` bounds the event that a random count picks.
    pub(crate) fn add(&mut self, fault: Fault, tokens: u64, rng: &mut SmallRng) {
        let mut event = |count: Option<u64>| count.unwrap_or_else(|| rng.random_range(1..=tokens.max(1)));
        match fault {
            Fault::Status(status) => self.status = Some(status),
            Fault::Hang => self.hang = true,
            Fault::SlowHead(span) => self.slow_head = Some(span),
            Fault::Ping(every) => self.ping = Some(every),
            Fault::Stall { pause, after } => self.stall = Some((after, pause)),
            Fault::Cut(count) => self.break_after = Some((event(count), Break::Cut)),
            Fault::End(count) => self.break_after = Some((event(count), Break::End)),
            Fault::Reset(count) => self.break_after = Some((event(count), Break::Reset)),
            Fault::Error(count) => self.break_after = Some((event(count), Break::Error)),
            Fault::Malformed(count) => self.malformed = Some(event(count)),
            Fault::Split => self.split = true,
            Fault::Coalesce(events) => self.coalesce = Some(events),
            Fault::NoUsage => self.no_usage = true,
            Fault::NoDone => self.no_done = true,
        }
    }
}

/// Reads a comma-separated list of faults.
///
/// # Errors
/// A sentence about the first one that cannot be read.
pub fn parse_faults(text: &str) -> Result<Vec<Fault>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(Fault::from_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_fault_reads_with_and_without_its_value() {
        for (text, fault) in [
            ("status=429", Fault::Status(429)),
            ("status", Fault::Status(500)),
            ("hang", Fault::Hang),
            ("slow-head=40", Fault::SlowHead(Duration::from_millis(40))),
            ("ping=5", Fault::Ping(Duration::from_millis(5))),
            (
                "stall",
                Fault::Stall {
                    pause: None,
                    after: 3,
                },
            ),
            (
                "stall=20",
                Fault::Stall {
                    pause: Some(Duration::from_millis(20)),
                    after: 3,
                },
            ),
            (
                "stall=20@7",
                Fault::Stall {
                    pause: Some(Duration::from_millis(20)),
                    after: 7,
                },
            ),
            (
                "stall=@7",
                Fault::Stall {
                    pause: None,
                    after: 7,
                },
            ),
            ("cut=2", Fault::Cut(Some(2))),
            ("end", Fault::End(None)),
            ("reset=0", Fault::Reset(Some(0))),
            ("error=1", Fault::Error(Some(1))),
            ("malformed=1", Fault::Malformed(Some(1))),
            ("split", Fault::Split),
            ("coalesce=3", Fault::Coalesce(3)),
            ("no-usage", Fault::NoUsage),
            ("no-done", Fault::NoDone),
        ] {
            assert_eq!(text.parse(), Ok(fault), "{text}");
        }
        assert_eq!(
            parse_faults("split, cut=4").unwrap(),
            [Fault::Split, Fault::Cut(Some(4))]
        );
    }

    #[test]
    fn rates_read_with_and_without_a_value() {
        let rate = |text: &str| text.parse::<FaultRate>();
        assert_eq!(
            rate("cut=0.01").unwrap(),
            FaultRate {
                fault: Fault::Cut(None),
                rate: 0.01
            }
        );
        assert_eq!(
            rate("status=503:0.5").unwrap(),
            FaultRate {
                fault: Fault::Status(503),
                rate: 0.5
            }
        );
        for text in [
            "cut",
            "cut=2",
            "cut=-0.1",
            "nothing=0.1",
            "status=200:0.1",
            "cut=NaN",
        ] {
            assert!(rate(text).is_err(), "{text} must be refused");
        }
    }

    #[test]
    fn a_random_count_stays_within_the_answer() {
        let mut rng = SmallRng::seed_from_u64(7);
        for _ in 0..200 {
            let mut plan = Plan::default();
            plan.add(Fault::Cut(None), 5, &mut rng);
            let (after, kind) = plan.break_after.unwrap();
            assert!((1..=5).contains(&after), "{after} lies outside the five tokens");
            assert_eq!(kind, Break::Cut);
        }
    }
}
