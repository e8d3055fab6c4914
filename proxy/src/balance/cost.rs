//! What it costs to give a request to a replica, in prompt tokens that have to be computed. The least wins.
//!
//! One unit for everything and no threshold: a cached prefix is worth as much as it saves, and a queue weighs
//! as much as it delays. So affinity bends with load, smoothly.

use crate::balance::candidate::Candidate;

/// What a request that is with the replica costs the next one, in tokens: it shares every step of the engine.
/// Why this number: `benches/RESULTS.md`; the fleet simulation is flat from 8 to 128.
const IN_FLIGHT_TOKENS: u64 = 64;
/// Part of the KV cache beyond which the engine preempts, in thousandths.
const KV_USED_PERMILLE_MAX: u16 = 950;
/// How many times dearer a replica is that is degraded or whose cache is full.
const STRAINED: u64 = 10;
/// What a strained replica costs beside that, in tokens, so that an idle one is dearer too.
const STRAINED_TOKENS: u64 = 256;
/// Costs are compared in parts of a token, so that weights do not round them off.
const SCALE: u64 = 64;

/// The cost of a request with `uncached` tokens to compute on this replica. `prefill_mean` stands for each
/// request of others that waits there.
pub(crate) fn cost(candidate: &Candidate, uncached: u64, prefill_mean: u64) -> u64 {
    let waiting = u64::from(candidate.waiting_elsewhere()).saturating_mul(prefill_mean);
    let in_flight = u64::from(candidate.in_flight_anywhere()).saturating_mul(IN_FLIGHT_TOKENS);
    let work = candidate
        .queued_prefill
        .saturating_add(uncached)
        .saturating_add(waiting)
        .saturating_add(in_flight);
    let is_full = candidate
        .scraped
        .and_then(|scraped| scraped.kv_used_permille)
        .is_some_and(|used| used > KV_USED_PERMILLE_MAX);
    let work = if candidate.degraded || is_full {
        work.saturating_add(STRAINED_TOKENS).saturating_mul(STRAINED)
    } else {
        work
    };
    work.saturating_mul(SCALE) / candidate.weight()
}

/// The cheapest candidate so far; ties go to the larger draw.
#[derive(Debug, Default)]
pub(crate) struct Best(Option<(usize, u64, u64)>);

// === impl Best ===

impl Best {
    /// One more candidate; `draw` is asked only when it ties or wins.
    #[inline]
    pub(crate) fn offer(&mut self, at: usize, cost: u64, draw: impl FnOnce() -> u64) {
        match self.0 {
            Some((_, best, _)) if cost > best => {}
            Some((_, best, drawn)) if cost == best => {
                let draw = draw();
                if draw > drawn {
                    self.0 = Some((at, cost, draw));
                }
            }
            _ => self.0 = Some((at, cost, draw())),
        }
    }

    /// Which candidate it is, and its cost.
    pub(crate) fn taken(self) -> Option<(usize, u64)> {
        self.0.map(|(at, cost, _)| (at, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::candidate::Scraped;

    fn idle() -> Candidate {
        Candidate::idle(None, 1)
    }

    #[test]
    fn cached_tokens_outweigh_a_queue_of_fewer_tokens() {
        let busy = Candidate {
            queued_prefill: 2_000,
            in_flight: 3,
            ..idle()
        };
        assert!(
            cost(&busy, 500, 0) < cost(&idle(), 6_000, 0),
            "the cache is worth the queue"
        );
        assert!(cost(&busy, 500, 0) > cost(&idle(), 1_000, 0), "here it is not");
    }

    #[test]
    fn strain_weight_and_others_count() {
        let plain = cost(&idle(), 1_000, 500);
        let full = Candidate {
            scraped: Some(Scraped {
                kv_used_permille: Some(990),
                ..Scraped::default()
            }),
            ..idle()
        };
        assert!(
            cost(&full, 1_000, 500) >= plain * 10,
            "a full cache is to be avoided"
        );
        let degraded = Candidate {
            degraded: true,
            ..idle()
        };
        assert!(
            cost(&degraded, 0, 500) > cost(&idle(), 0, 500),
            "idle and degraded is dearer than idle"
        );
        let strong = Candidate { weight: 4, ..idle() };
        assert_eq!(cost(&strong, 1_000, 500) * 4, plain);
        let crowded = Candidate {
            scraped: Some(Scraped {
                running: 0,
                waiting: 4,
                kv_used_permille: None,
            }),
            ..idle()
        };
        assert!(
            cost(&crowded, 1_000, 500) > cost(&idle(), 3_000, 500),
            "four requests of another proxy wait there"
        );
    }

    #[test]
    fn no_figure_is_too_large() {
        let worst = Candidate {
            queued_prefill: u64::MAX,
            in_flight: u32::MAX,
            degraded: true,
            ..idle()
        };
        assert!(cost(&worst, u64::MAX, u64::MAX) > cost(&idle(), 1_000_000, 1_000));
    }
}
