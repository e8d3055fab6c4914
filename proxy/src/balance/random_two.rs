//! `random-two`: the less loaded of two drawn at random.
//!
//! Nearly as even as looking at all of them, and many proxies that do so do not herd:
//! <https://www.eecs.harvard.edu/~michaelm/postscripts/mythesis.pdf>

use record::Policy;

use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Choice, Chooser, Estimate, Request};
use crate::balance::random::Random;

/// Draws two by weight and takes the one with fewer requests for its weight.
#[derive(Debug)]
pub(crate) struct RandomTwo;

// === impl Chooser for RandomTwo ===

impl Chooser for RandomTwo {
    fn choose(
        &self,
        _: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        random: &mut Random,
    ) -> Option<Choice> {
        let (first_at, first) = draw(candidates, None, random)?;
        let at = match draw(candidates, Some(first_at), random) {
            Some((second_at, second)) if load(second) < load(first) => second_at,
            _ => first_at,
        };
        Some(Choice::blind(at, Policy::RandomTwo, estimate))
    }
}

/// One with room, by weight, that is not the one at `but`.
fn draw<'a>(
    candidates: &'a [Candidate],
    but: Option<usize>,
    random: &mut Random,
) -> Option<(usize, &'a Candidate)> {
    let open = || {
        candidates
            .iter()
            .enumerate()
            .filter(|(at, one)| one.has_room() && Some(*at) != but)
    };
    let total: u64 = open().map(|(_, one)| one.weight()).sum();
    let mut point = random.below_u64(total);
    open().find(|(_, one)| {
        let is_hit = point < one.weight();
        point = point.saturating_sub(one.weight());
        is_hit
    })
}

fn load(candidate: &Candidate) -> u64 {
    u64::from(candidate.in_flight_anywhere()) * 1_000 / candidate.weight()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_of_two_is_never_chosen() {
        let mut candidates = [Candidate::idle(None, 1); 2];
        candidates[0].in_flight = 9;
        let estimate = Estimate::plain(1);
        let mut random = Random::new(3);
        for _ in 0..100 {
            let choice = RandomTwo
                .choose(&Request::default(), estimate, &candidates, &mut random)
                .unwrap();
            assert_eq!(choice.at, 1);
        }
    }
}
