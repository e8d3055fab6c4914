//! `session`: each session has a home, and leaves it only while the home has more than its share.
//!
//! Rendezvous hashing, weighted: every proxy finds the same home without a table, and a replica that goes
//! takes only its own sessions with it. Bounded load as in <https://arxiv.org/abs/1608.01350>, so that a
//! popular home spills to the session's second one, then the third.

use record::Policy;

use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Choice, Chooser, Estimate, Request};
use crate::balance::least_work::LeastWork;
use crate::balance::random::{Random, mixed};

/// Requests beyond the mean that a home takes: a quarter.
const BOUND: (u64, u64) = (5, 4);

/// Sends a session where it was before. Requests without a session go to the least work.
#[derive(Debug)]
pub(crate) struct Session;

// === impl Chooser for Session ===

impl Chooser for Session {
    fn choose(
        &self,
        request: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        random: &mut Random,
    ) -> Option<Choice> {
        let Some(session) = request.session else {
            return LeastWork.choose(request, estimate, candidates, random).map(named);
        };
        let open = || candidates.iter().enumerate().filter(|(_, one)| one.has_room());
        let (requests, weights) = open().fold((1_u64, 0_u64), |(requests, weights), (_, one)| {
            (
                requests + u64::from(one.in_flight_anywhere()),
                weights + one.weight(),
            )
        });
        // Somebody is at or below the mean, so somebody is below the bound.
        let has_share = |one: &Candidate| {
            let share = (requests * one.weight() * BOUND.0).div_ceil(weights.max(1) * BOUND.1);
            u64::from(one.in_flight_anywhere()) < share
        };
        open()
            .filter(|(_, one)| has_share(one) && !one.degraded)
            .max_by(|(_, left), (_, right)| pull(session, left).total_cmp(&pull(session, right)))
            .map(|(at, _)| Choice::blind(at, Policy::Session, estimate))
            .or_else(|| LeastWork.choose(request, estimate, candidates, random).map(named))
    }
}

/// How much a candidate pulls a session. Weighted as in
/// <https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf>
fn pull(session: u64, candidate: &Candidate) -> f64 {
    let high = u32::try_from(mixed(session ^ candidate.home) >> 32).unwrap_or(0);
    let even = (f64::from(high) + 1.0) / (f64::from(u32::MAX) + 2.0);
    -f64::from(candidate.weight.max(1)) / even.ln()
}

fn named(choice: Choice) -> Choice {
    let mut choice = choice;
    choice.routing.policy = Some(Policy::Session);
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(len: u64) -> Vec<Candidate> {
        (0..len)
            .map(|name| Candidate::idle(None, mixed(name + 1)))
            .collect()
    }

    fn home(session: u64, candidates: &[Candidate]) -> usize {
        let request = Request {
            session: Some(session),
            ..Request::default()
        };
        Session
            .choose(&request, Estimate::plain(10), candidates, &mut Random::new(1))
            .unwrap()
            .at
    }

    #[test]
    fn only_the_sessions_of_a_lost_replica_move() {
        let before = fleet(10);
        let after = &before[..9];
        for session in 0..500 {
            let session = mixed(session);
            let (was, is) = (home(session, &before), home(session, after));
            assert!(was == is || was == 9, "a session of replica {was} moved to {is}");
        }
    }

    #[test]
    fn homes_are_spread_by_weight() {
        let mut candidates = fleet(3);
        candidates[2].weight = 2;
        let mut counts = [0_u32; 3];
        for session in 0..4_000 {
            counts[home(mixed(session), &candidates)] += 1;
        }
        for (count, expected) in counts.iter().zip([1_000, 1_000, 2_000]) {
            assert!(count.abs_diff(expected) < 150, "{counts:?}");
        }
    }

    #[test]
    fn a_crowded_home_spills_and_is_found_again() {
        let mut candidates = fleet(4);
        let at = home(77, &candidates);
        candidates[at].in_flight = 10;
        let second = home(77, &candidates);
        assert_ne!(second, at, "ten where the mean is less than three");
        for candidate in &mut candidates {
            candidate.in_flight = 10;
        }
        assert_eq!(home(77, &candidates), at, "all are alike, so home it is");
    }

    #[test]
    fn no_session_is_least_work() {
        let mut candidates = fleet(3);
        candidates[0].queued_prefill = 5;
        candidates[2].queued_prefill = 5;
        let choice = Session
            .choose(
                &Request::default(),
                Estimate::plain(10),
                &candidates,
                &mut Random::new(1),
            )
            .unwrap();
        assert_eq!((choice.at, choice.routing.policy), (1, Some(Policy::Session)));
    }
}
