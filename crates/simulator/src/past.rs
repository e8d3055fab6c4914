//! A past to fill a ledger with: the requests of a year, in the order of their start, repeatable from a seed.
//!
//! Days and weeks have their rhythm, few users ask most, each mostly asks one model, and each model has its
//! own pace. Every request is one of a few thousand prototypes with another moment, user and replica, so that
//! a hundred million take minutes. Pure: the moment of the end is given.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use record::units::count_f64;
use record::{MetricRecord, Name, UnixMillis};

mod prototype;

/// Prototypes of each model, calm and busy ones.
const PROTOTYPES_LEN: usize = 96;

/// Share of requests for the model that their user mostly asks.
const HOME_SHARE: f64 = 0.85;

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 1_440;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct PastSettings {
    /// How many requests.
    pub requests: u64,
    /// How many days they are spread over.
    pub days: u32,
    /// Their end.
    pub until: UnixMillis,
    /// How many models.
    pub models: u16,
    /// How many replicas each model has.
    pub replicas: u16,
    /// How many end users.
    pub users: u32,
    /// Seed of all chance.
    pub seed: u64,
}

/// Requests, one after the other.
#[derive(Debug)]
pub struct Past {
    settings: PastSettings,
    random: SmallRng,
    rhythm: Rhythm,
    models: Vec<Model>,
    users: Vec<Name>,
    keys: Vec<Name>,
    user_of: Zipf<f64>,
    model_of: Zipf<f64>,
    /// Moments of the present minute that are left, the latest first.
    moments: Vec<u64>,
    minute: u64,
    made: u64,
}

/// How many requests each minute has.
#[derive(Debug)]
struct Rhythm {
    requests: f64,
    whole: f64,
    begin: UnixMillis,
    passed: f64,
}

#[derive(Debug)]
struct Model {
    replicas: Vec<Name>,
    prototypes: Vec<MetricRecord>,
}

// === impl Past ===

impl Past {
    /// Prepares the prototypes; the requests are made by [`Self::next_request`].
    #[must_use]
    pub fn new(settings: PastSettings) -> Self {
        let mut random = SmallRng::seed_from_u64(settings.seed);
        let models = (0..settings.models.max(1))
            .map(|number| Model::new(number, settings.replicas.max(1), &mut random))
            .collect();
        let users = settings.users.max(1);
        let zipf = |len: u32, skew: f64| {
            Zipf::new(f64::from(len), skew).expect("the length is at least one and the skew is positive")
        };
        Self {
            settings,
            random,
            rhythm: Rhythm::new(&settings),
            models,
            users: (0..users).map(|n| format!("user-{n:05}").into()).collect(),
            keys: (0..users.div_ceil(200).max(4))
                .map(|n| format!("team-{n:02}").into())
                .collect(),
            user_of: zipf(users, 0.9),
            model_of: zipf(u32::from(settings.models.max(1)), 0.8),
            moments: Vec::new(),
            minute: 0,
            made: 0,
        }
    }

    /// The next request; `None` after the last. The record is overwritten by the next call.
    pub fn next_request(&mut self) -> Option<&MetricRecord> {
        while self.moments.is_empty() {
            if self.minute >= u64::from(self.settings.days) * DAY_MINUTES {
                return None;
            }
            let count = self.rhythm.requests_of(self.minute);
            for _ in 0..count {
                self.moments.push(self.random.random_range(0..MINUTE_MS));
            }
            self.moments.sort_unstable_by(|a, b| b.cmp(a));
            self.minute += 1;
        }
        let within = Duration::from_millis(self.moments.pop()?);
        let started_at = self.rhythm.minute_at(self.minute - 1).plus(within);
        Some(self.fill(started_at))
    }

    fn fill(&mut self, started_at: UnixMillis) -> &MetricRecord {
        let user = place(self.user_of.sample(&mut self.random), self.users.len());
        let models_len = self.models.len();
        let model = if self.random.random_bool(HOME_SHARE) {
            // Spread over the models as their popularity is, but always the same for one user.
            let share = count_f64(u64::try_from(user % 997).unwrap_or(0)) / 997.0;
            place(
                share * share * count_f64(u64::try_from(models_len).unwrap_or(1)) + 1.0,
                models_len,
            )
        } else {
            place(self.model_of.sample(&mut self.random), models_len)
        };
        let busy = self.random.random_bool(self.rhythm.load(started_at));
        let half = PROTOTYPES_LEN / 2;
        let variant = self.random.random_range(0..half) + if busy { half } else { 0 };
        let model = &mut self.models[model];
        let replica = self.random.random_range(0..model.replicas.len());
        let record = &mut model.prototypes[variant];
        let key = &self.keys[user % self.keys.len()];
        record.id = request_id(started_at, self.made);
        record.started_at = started_at;
        if record.replica.is_some() {
            record.replica = Some(Name::clone(&model.replicas[replica]));
        }
        record.identity.user = Some(Name::clone(&self.users[user]));
        record.identity.key = Some(Name::clone(key));
        if let Some(tag) = record.identity.tags.first_mut() {
            tag.value = Name::clone(key);
        }
        self.made += 1;
        record
    }
}

// === impl Rhythm ===

impl Rhythm {
    fn new(settings: &PastSettings) -> Self {
        let span = Duration::from_hours(24) * settings.days;
        let mut rhythm = Self {
            requests: count_f64(settings.requests),
            whole: 0.0,
            begin: settings.until.minus(span),
            passed: 0.0,
        };
        rhythm.whole = (0..u64::from(settings.days) * DAY_MINUTES)
            .map(|minute| rhythm.load(rhythm.minute_at(minute)))
            .sum();
        rhythm
    }

    fn minute_at(&self, minute: u64) -> UnixMillis {
        self.begin.plus(Duration::from_millis(minute * MINUTE_MS))
    }

    /// The requests of the next minute; what is lost by rounding comes later, so that the sum is right.
    fn requests_of(&mut self, minute: u64) -> u64 {
        let share = |passed: f64| self.requests * (passed / self.whole).min(1.0);
        let before = share(self.passed).round();
        self.passed += self.load(self.minute_at(minute));
        let count = share(self.passed).round() - before;
        Duration::from_secs_f64(count.max(0.0)).as_secs()
    }

    /// How much is asked at a moment, 0 to 1: little at night, half as much on two days of the week.
    fn load(&self, at: UnixMillis) -> f64 {
        let minute = at.0.div_euclid(60_000);
        let of_day = f64::from(u16::try_from(minute.rem_euclid(1_440)).unwrap_or(0)) / 1_440.0;
        let day = minute.div_euclid(1_440).rem_euclid(7);
        // 1970 began on a Thursday: days 2 and 3 are Saturday and Sunday.
        let week = if matches!(day, 2 | 3) { 0.5 } else { 1.0 };
        let swing = (std::f64::consts::TAU * (of_day - 0.625)).cos();
        week * (0.55 + 0.45 * swing)
    }
}

/// A place in a list from a rank that counts from one.
fn place(rank: f64, len: usize) -> usize {
    let rank = Duration::from_secs_f64(rank.max(1.0)).as_secs();
    usize::try_from(rank - 1).unwrap_or(0).min(len - 1)
}

/// A `UUIDv7` of the moment and the number of the request.
fn request_id(at: UnixMillis, number: u64) -> Name {
    let ms = at.0.unsigned_abs();
    format!("{:08x}-{:04x}-7000-8000-{number:012x}", ms >> 16, ms & 0xffff).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(seed: u64) -> PastSettings {
        PastSettings {
            requests: 20_000,
            days: 14,
            until: UnixMillis(1_795_392_000_000),
            models: 5,
            replicas: 3,
            users: 300,
            seed,
        }
    }

    fn all(seed: u64) -> Vec<MetricRecord> {
        let mut past = Past::new(settings(seed));
        let mut records = Vec::new();
        while let Some(record) = past.next_request() {
            records.push(record.clone());
        }
        records
    }

    #[test]
    fn a_seed_makes_one_past_with_as_many_requests_as_asked_for() {
        let records = all(7);
        assert_eq!(records.len(), 20_000);
        assert_eq!(records, all(7), "the same again");
        assert_ne!(records, all(8), "another seed, another past");
        let begin = settings(7).until.minus(Duration::from_hours(24) * 14);
        assert!(records.is_sorted_by_key(|record| record.started_at), "in order");
        assert!(
            records
                .iter()
                .all(|record| record.started_at >= begin && record.started_at < settings(7).until)
        );
    }

    #[test]
    fn days_have_a_rhythm_and_few_users_ask_most() {
        let records = all(7);
        let hour = |record: &MetricRecord| record.started_at.0 / 3_600_000 % 24;
        let at = |wanted: i64| records.iter().filter(|record| hour(record) == wanted).count();
        assert!(at(15) > 3 * at(3), "{} by day, {} by night", at(15), at(3));
        let first = records
            .iter()
            .filter(|record| record.identity.user.as_deref() == Some("user-00000"))
            .count();
        assert!(first > 300, "the first of 300 users asks {first} of 20,000");
    }
}
