//! Who asks what: applications with a system prompt each, sessions of several turns, think time between.
//!
//! Texts are drawn letter by letter from the seed, so that prompts share exactly what they would share in
//! life: the system prompt within an application, the conversation within a session.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal, Zipf};
use record::units::count_f64;

use crate::fleet::router::{Micros, SECOND};

/// What the sessions are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Applications; their popularity is Zipf's.
    pub(crate) applications: u32,
    /// New sessions a second.
    pub(crate) sessions_per_second: f64,
    /// Seed of all chance.
    pub(crate) seed: u64,
}

/// One application.
#[derive(Debug)]
struct Application {
    system: Vec<u8>,
    /// Bytes of text that make a token, in tenths: prose, code and other scripts differ.
    bytes_per_token_tenths: u64,
}

/// A session: its text grows with each turn.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: u64,
    pub(crate) text: Vec<u8>,
    pub(crate) bytes_per_token_tenths: u64,
    turns_left: u32,
    rng: SmallRng,
}

/// One turn of a session, ready to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Bytes of the prompt: so much of the session's text.
    pub(crate) prompt_len: usize,
    /// Tokens that the answer will have.
    pub(crate) answer: u64,
}

/// Makes sessions.
#[derive(Debug)]
pub(crate) struct Workload {
    applications: Vec<Application>,
    popularity: Zipf<f64>,
    arrivals: Exp<f64>,
    rng: SmallRng,
    sessions: u64,
}

/// Zipf's exponent of the applications' popularity.
const ZIPF: f64 = 1.0;
/// Mean and spread (of the logarithm) of a system prompt, in bytes.
const SYSTEM: (f64, f64) = (7_000.0, 0.8);
/// Mean and spread of a question, in bytes.
const QUESTION: (f64, f64) = (900.0, 0.8);
/// Mean and spread of an answer, in tokens.
const ANSWER: (f64, f64) = (300.0, 0.7);
/// Longest answer, in tokens.
const ANSWER_MAX: u64 = 2_000;
/// Chance that a session goes on after a turn: about 4.8 turns on average.
const GOES_ON: f64 = 0.79;
/// Most turns of a session.
const TURNS_MAX: u32 = 20;
/// Mean time between an answer and the next question.
const THINK_SECONDS: f64 = 12.0;

// === impl Workload ===

impl Workload {
    pub(crate) fn new(traffic: &Traffic) -> Self {
        let mut rng = SmallRng::seed_from_u64(traffic.seed);
        let applications = (0..traffic.applications)
            .map(|_| {
                let mut system = br#"[{"role":"system","content":""#.to_vec();
                let len = log_normal(SYSTEM, &mut rng).clamp(200.0, 60_000.0);
                write_text(&mut system, whole(len), &mut rng);
                Application {
                    system,
                    bytes_per_token_tenths: rng.random_range(30..=48),
                }
            })
            .collect();
        Self {
            applications,
            popularity: Zipf::new(f64::from(traffic.applications.max(1)), ZIPF).expect("at least one"),
            arrivals: Exp::new(traffic.sessions_per_second).expect("a rate above zero"),
            rng,
            sessions: 0,
        }
    }

    /// The next session, and how long after the one before it comes.
    pub(crate) fn next_session(&mut self) -> (Micros, Session) {
        let after = self.arrivals.sample(&mut self.rng) * count_f64(SECOND);
        let rank = whole(self.popularity.sample(&mut self.rng));
        let application = self
            .applications
            .get(rank.saturating_sub(1))
            .unwrap_or(&self.applications[0]);
        self.sessions += 1;
        let mut rng = SmallRng::seed_from_u64(self.rng.random());
        let mut turns_left = 1;
        while turns_left < TURNS_MAX && rng.random_bool(GOES_ON) {
            turns_left += 1;
        }
        let mut session = Session {
            name: self.sessions,
            text: application.system.clone(),
            bytes_per_token_tenths: application.bytes_per_token_tenths,
            turns_left,
            rng,
        };
        session.ask();
        (u64::try_from(whole(after)).unwrap_or(0), session)
    }
}

// === impl Session ===

impl Session {
    /// The turn that the text now ends with.
    pub(crate) fn turn(&mut self) -> Turn {
        let answer = u64::try_from(whole(log_normal(ANSWER, &mut self.rng))).unwrap_or(1);
        Turn {
            prompt_len: self.text.len(),
            answer: answer.clamp(1, ANSWER_MAX),
        }
    }

    /// Tokens of so many bytes of this session's text; at least one.
    pub(crate) fn tokens(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        (bytes.saturating_mul(10) / self.bytes_per_token_tenths).max(1)
    }

    /// Bytes of so many tokens.
    pub(crate) fn bytes(&self, tokens: u64) -> usize {
        usize::try_from(tokens * self.bytes_per_token_tenths / 10).unwrap_or(0)
    }

    /// The answer has come: it is in the text, and after some thinking the next question. `None` when that
    /// was the last turn.
    pub(crate) fn answered(&mut self, turn: Turn) -> Option<Micros> {
        self.turns_left -= 1;
        self.text
            .extend_from_slice(br#""},{"role":"assistant","content":""#);
        let len = self.bytes(turn.answer);
        write_text(&mut self.text, len, &mut self.rng);
        if self.turns_left == 0 {
            return None;
        }
        self.text.extend_from_slice(br#""},{"role":"user","content":""#);
        self.ask();
        let think = Exp::new(1.0 / THINK_SECONDS).expect("a mean above zero");
        let think = think.sample(&mut self.rng) * count_f64(SECOND);
        u64::try_from(whole(think)).ok()
    }

    fn ask(&mut self) {
        let len = log_normal(QUESTION, &mut self.rng).clamp(20.0, 200_000.0);
        write_text(&mut self.text, whole(len), &mut self.rng);
    }
}

/// A draw with this mean, and this spread of its logarithm.
fn log_normal((mean, spread): (f64, f64), rng: &mut SmallRng) -> f64 {
    let centre = mean.ln() - spread * spread / 2.0;
    LogNormal::new(centre, spread).map_or(mean, |lengths| lengths.sample(rng))
}

fn write_text(text: &mut Vec<u8>, len: usize, rng: &mut SmallRng) {
    text.reserve(len);
    let end = text.len() + len;
    while text.len() < end {
        for byte in rng.random::<u64>().to_le_bytes() {
            text.push(b'a' + byte % 26);
        }
    }
    text.truncate(end);
}

/// The whole part of a number that is not negative.
fn whole(number: f64) -> usize {
    let seconds = Duration::from_secs_f64(number.clamp(0.0, 1e15)).as_secs();
    usize::try_from(seconds).unwrap_or(usize::MAX)
}
