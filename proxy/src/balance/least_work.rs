//! `least-work`: the replica with the least to do, in tokens rather than requests.

use record::Policy;

use crate::balance::candidate::Candidate;
use crate::balance::chooser::{Choice, Chooser, Estimate, Request};
use crate::balance::cost::{Best, cost};
use crate::balance::random::Random;

/// Looks at all candidates; ties are drawn.
#[derive(Debug)]
pub(crate) struct LeastWork;

// === impl Chooser for LeastWork ===

impl Chooser for LeastWork {
    fn choose(
        &self,
        _: &Request,
        estimate: Estimate,
        candidates: &[Candidate],
        random: &mut Random,
    ) -> Option<Choice> {
        let mut best = Best::default();
        for (at, candidate) in candidates.iter().enumerate() {
            if candidate.has_room() {
                let cost = cost(candidate, estimate.prompt, estimate.prefill_mean);
                best.offer(at, cost, || random.next_bits());
            }
        }
        let (at, _) = best.taken()?;
        Some(Choice::blind(at, Policy::LeastWork, estimate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_decide_and_ties_are_spread() {
        let mut candidates = [Candidate::idle(None, 1); 4];
        candidates[0].in_flight = 1;
        candidates[0].queued_prefill = 30_000;
        candidates[1].in_flight = 3;
        candidates[1].queued_prefill = 900;
        let estimate = Estimate::plain(100);
        let mut random = Random::new(3);
        let mut choose = |candidates: &[Candidate]| {
            LeastWork
                .choose(&Request::default(), estimate, candidates, &mut random)
                .map(|choice| choice.at)
        };
        assert_eq!(
            choose(&candidates[..2]),
            Some(1),
            "three short prompts are less than one long"
        );
        let mut counts = [0; 4];
        for _ in 0..400 {
            counts[choose(&candidates).unwrap()] += 1;
        }
        assert_eq!(counts[..2], [0, 0], "two are idle");
        assert!(counts[2] > 150 && counts[3] > 150, "{counts:?}");
    }
}
