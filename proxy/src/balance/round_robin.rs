//! `round-robin`: one after the other, by weight.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use record::Policy;

use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Choice, Chooser, Estimate, Request};
use crate::balance::random::Random;

/// Takes the candidates in turn. A candidate of weight 2 has two turns in each round.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    turn: AtomicU64,
}

// === impl Chooser for RoundRobin ===

impl Chooser for RoundRobin {
    fn choose(
        &self,
        _: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        _: &mut Random,
    ) -> Option<Choice> {
        let open = || candidates.iter().enumerate().filter(|(_, one)| one.has_room());
        let round: u64 = open().map(|(_, one)| one.weight()).sum();
        let turn = self.turn.fetch_add(1, Relaxed);
        let mut point = turn.checked_rem(round)?.wrapping_mul(stride(round, open)) % round;
        open()
            .find(|(_, one)| {
                let is_hit = point < one.weight();
                point = point.saturating_sub(one.weight());
                is_hit
            })
            .map(|(at, _)| Choice::blind(at, Policy::RoundRobin, estimate))
    }
}

/// The step through a round. With equal weights of one it is the order of the list; else it is coprime with
/// the round's length and near its golden section, so that a heavy candidate's turns lie apart.
fn stride<'a, I>(round: u64, open: impl Fn() -> I) -> u64
where
    I: Iterator<Item = (usize, &'a Candidate)>,
{
    if open().all(|(_, one)| one.weight() == 1) {
        return 1;
    }
    let golden = round.saturating_mul(618) / 1_000;
    (golden.max(1)..=round)
        .find(|step| common_divisor(*step, round) == 1)
        .unwrap_or(1)
}

const fn common_divisor(left: u64, right: u64) -> u64 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(weights: &[u32], turns: usize) -> Vec<usize> {
        let candidates: Vec<_> = weights
            .iter()
            .map(|weight| Candidate {
                weight: *weight,
                ..Candidate::idle(None, 1)
            })
            .collect();
        let policy = RoundRobin::default();
        let mut random = Random::new(1);
        let estimate = Estimate::plain(1);
        (0..turns)
            .map(|_| {
                policy
                    .choose(&Request::default(), estimate, &candidates, &mut random)
                    .unwrap()
                    .at
            })
            .collect()
    }

    #[test]
    fn equal_candidates_take_turns_in_order() {
        assert_eq!(turns(&[1, 1, 1], 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_round_holds_each_candidate_by_its_weight_and_spread() {
        let round = turns(&[1, 5, 2], 8);
        for (at, weight) in [(0, 1), (1, 5), (2, 2)] {
            assert_eq!(
                round.iter().filter(|chosen| **chosen == at).count(),
                weight,
                "{round:?}"
            );
        }
        let longest = round
            .chunk_by(|left, right| left == right)
            .map(<[usize]>::len)
            .max();
        assert!(longest <= Some(3), "{round:?} is not one block of the heavy one");
    }
}
