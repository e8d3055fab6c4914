//! What holds for every policy.

use proptest::prelude::*;

use super::*;
use crate::balance::chain::ChainHasher;
use crate::balance::random::mixed;

fn balancer(policy: Policy, seed: u64) -> Balancer {
    Balancer::new(BalancerSettings {
        index_bytes_max: 1 << 18,
        ..BalancerSettings::new(policy, seed)
    })
}

fn request(text: u64, session: Option<u64>) -> Request {
    let text = format!("prompt {text} ").repeat(300);
    Request {
        model: 1,
        session,
        prompt: ChainHasher::whole(1, &[], text.as_bytes()),
    }
}

/// A fleet that the balancer serves, with guards for what is in flight.
#[derive(Debug)]
struct Fleet {
    balancer: Balancer,
    replicas: Vec<(Candidate, Arc<Load>)>,
    running: Vec<(usize, Dispatched)>,
}

impl Fleet {
    fn new(policy: Policy, seed: u64, replicas: u64) -> Self {
        let balancer = balancer(policy, seed);
        let replicas = (0..replicas)
            .map(|name| (Candidate::idle(balancer.join(), mixed(name + 1)), Arc::default()))
            .collect();
        Self {
            balancer,
            replicas,
            running: Vec::new(),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let fresh = |(candidate, load): &(Candidate, Arc<Load>)| Candidate {
            in_flight: load.in_flight(),
            awaiting: load.awaiting(),
            queued_prefill: load.queued_prefill(),
            ..*candidate
        };
        self.replicas.iter().map(fresh).collect()
    }

    fn send(&mut self, request: &Request) -> Option<usize> {
        let candidates = self.candidates();
        let choice = self.balancer.choose(request, &candidates)?;
        let (candidate, load) = &self.replicas[choice.at];
        let guard = self.balancer.dispatch(request, &choice, candidate.slot, load);
        self.running.push((choice.at, guard));
        Some(choice.at)
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    proptest::sample::select(Policy::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No candidate is ever over its limit, one with room is always found, and nothing leaks.
    #[test]
    fn limits_hold_and_nothing_leaks(
        policy in policies(),
        seed in any::<u64>(),
        limits in proptest::collection::vec(0_u32..5, 1..6),
        steps in proptest::collection::vec((0_u64..6, proptest::option::of(0_u64..3), any::<bool>()), 1..80),
    ) {
        let mut fleet = Fleet::new(policy, seed, u64::try_from(limits.len()).unwrap());
        for ((candidate, _), limit) in fleet.replicas.iter_mut().zip(&limits) {
            candidate.in_flight_max = Some(*limit);
        }
        for (text, session, ends) in steps {
            let had_room = fleet.candidates().iter().any(Candidate::has_room);
            let chosen = fleet.send(&request(text, session));
            prop_assert_eq!(chosen.is_some(), had_room, "a place is used when there is one");
            if ends && !fleet.running.is_empty() {
                drop(fleet.running.swap_remove(0));
            }
            for ((_, load), limit) in fleet.replicas.iter().zip(&limits) {
                prop_assert!(load.in_flight() <= *limit);
            }
        }
        fleet.running.clear();
        for (_, load) in &fleet.replicas {
            prop_assert_eq!((load.in_flight(), load.awaiting(), load.queued_prefill()), (0, 0, 0));
        }
    }

    /// The same seed and the same requests give the same choices.
    #[test]
    fn a_seed_decides_every_choice(
        policy in policies(),
        seed in any::<u64>(),
        steps in proptest::collection::vec((0_u64..10, proptest::option::of(0_u64..5)), 1..60),
    ) {
        let run = || {
            let mut fleet = Fleet::new(policy, seed, 7);
            steps.iter().map(|(text, session)| fleet.send(&request(*text, *session))).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn weights_are_respected_under_load() {
    for policy in Policy::ALL {
        let mut fleet = Fleet::new(*policy, 11, 4);
        fleet.replicas[3].0.weight = 3;
        let mut counts = [0_u32; 4];
        for nth in 0..600 {
            let at = fleet.send(&request(nth, Some(mixed(nth)))).unwrap();
            counts[at] += 1;
        }
        for (count, expected) in counts.iter().zip([100, 100, 100, 300]) {
            assert!(count.abs_diff(expected) <= expected / 3, "{policy}: {counts:?}");
        }
    }
}

#[test]
fn a_replica_that_left_is_not_believed_to_hold_anything() {
    let mut fleet = Fleet::new(Policy::Prefix, 3, 2);
    let asked = request(1, None);
    let first = fleet.send(&asked).unwrap();
    fleet.running.clear();
    let slot = fleet.replicas[first].0.slot.unwrap();
    fleet.balancer.leave(slot);
    // Every other slot is taken, so that the next one to join gets the slot of the one that left.
    let taken: Vec<_> = (0..254).map(|_| fleet.balancer.join().unwrap()).collect();
    assert!(!taken.contains(&slot), "an unused slot comes first");
    let again = fleet.balancer.join().unwrap();
    assert_eq!(again, slot, "the last one there is");
    fleet.replicas[first].0.slot = Some(again);
    let candidates = fleet.candidates();
    let choice = fleet.balancer.choose(&asked, &candidates[first..=first]).unwrap();
    assert_eq!(
        choice.routing.matched_blocks,
        Some(0),
        "the new owner holds nothing"
    );
    assert_eq!(fleet.balancer.join(), None, "256 and no more");
}

#[test]
fn a_replica_without_a_slot_still_gets_requests() {
    let balancer = balancer(Policy::Prefix, 1);
    let candidates = [Candidate::idle(None, 1)];
    let choice = balancer.choose(&request(1, None), &candidates).unwrap();
    let load = Arc::default();
    drop(balancer.dispatch(&request(1, None), &choice, None, &load));
    balancer.finished(
        &request(1, None),
        &choice,
        None,
        Some(Tokens(900)),
        Some(Tokens(0)),
    );
    assert_eq!(choice.at, 0);
}

#[test]
fn reported_tokens_correct_the_predictions() {
    let mut fleet = Fleet::new(Policy::Prefix, 3, 1);
    let asked = request(1, None);
    fleet.send(&asked);
    let slot = fleet.replicas[0].0.slot;
    let choice = fleet.balancer.choose(&asked, &fleet.candidates()).unwrap();
    let blocks = choice.routing.prefix_blocks.unwrap();
    assert_eq!(choice.routing.matched_blocks, Some(blocks));
    let tokens = Tokens(asked.prompt.bytes / 2);
    for _ in 0..100 {
        fleet
            .balancer
            .finished(&asked, &choice, slot, Some(tokens), Some(tokens));
    }
    let choice = fleet.balancer.choose(&asked, &fleet.candidates()).unwrap();
    let predicted = choice.routing.predicted_cached.unwrap();
    assert!(
        predicted.0 > tokens.0 * 7 / 10,
        "two bytes a token now: {predicted} of {tokens}"
    );
    for _ in 0..50 {
        fleet
            .balancer
            .finished(&asked, &choice, slot, Some(tokens), Some(Tokens(0)));
    }
    let choice = fleet.balancer.choose(&asked, &fleet.candidates()).unwrap();
    let doubted = choice.routing.predicted_cached.unwrap();
    assert!(
        doubted.0 < tokens.0 / 10,
        "it never has what it should: {doubted} of {tokens}"
    );
    fleet.balancer.failed(&asked, &choice, slot);
    assert_eq!(
        fleet
            .balancer
            .choose(&asked, &fleet.candidates())
            .unwrap()
            .routing
            .matched_blocks,
        Some(blocks),
        "what was believed before a failed attempt stays"
    );
}
