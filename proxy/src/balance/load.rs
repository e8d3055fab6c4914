//! What a replica has to do for this proxy, counted by guards that release exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The counters of one replica.
#[derive(Debug, Default)]
pub struct Load {
    in_flight: AtomicU32,
    awaiting: AtomicU32,
    queued_prefill: AtomicU64,
}

/// A request that is with a replica. Its end, however it comes, takes it out of the counters.
#[derive(Debug)]
pub struct Dispatched {
    load: Arc<Load>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The replica computes the prompt; so many tokens of it, as predicted.
    Prefill { tokens: u64 },
    /// The first token has come.
    Decode,
}

// === impl Load ===

impl Load {
    /// Counts a request that the replica has to compute `prefill` prompt tokens for.
    #[must_use]
    pub fn dispatch(self: &Arc<Self>, prefill: u64) -> Dispatched {
        self.in_flight.fetch_add(1, Relaxed);
        self.awaiting.fetch_add(1, Relaxed);
        self.queued_prefill.fetch_add(prefill, Relaxed);
        Dispatched {
            load: Arc::clone(self),
            phase: Phase::Prefill { tokens: prefill },
        }
    }

    /// Requests with the replica.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Requests with the replica that have no token yet.
    #[must_use]
    pub fn awaiting(&self) -> u32 {
        self.awaiting.load(Relaxed)
    }

    /// Prompt tokens that the replica still has to compute for them, as predicted.
    #[must_use]
    pub fn queued_prefill(&self) -> u64 {
        self.queued_prefill.load(Relaxed)
    }
}

// === impl Dispatched ===

impl Dispatched {
    /// The first token came: the prompt is computed. Again and again is the same as once.
    pub fn first_token(&mut self) {
        if let Phase::Prefill { tokens } = std::mem::replace(&mut self.phase, Phase::Decode) {
            self.load.awaiting.fetch_sub(1, Relaxed);
            self.load.queued_prefill.fetch_sub(tokens, Relaxed);
        }
    }

    /// The counters it counts in.
    #[must_use]
    pub const fn load(&self) -> &Arc<Load> {
        &self.load
    }
}

impl Drop for Dispatched {
    fn drop(&mut self) {
        self.first_token();
        self.load.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever happens in whatever order, the counters are the sum of the guards that are alive.
        #[test]
        fn guards_release_exactly_once(
            steps in proptest::collection::vec((0_u8..4, 0_usize..8, 0_u64..100_000), 0..200),
        ) {
            let load = Arc::new(Load::default());
            let mut alive: Vec<(Dispatched, u64)> = Vec::new();
            for (step, at, tokens) in steps {
                match step {
                    0 | 1 => alive.push((load.dispatch(tokens), tokens)),
                    2 if !alive.is_empty() => {
                        let at = at % alive.len();
                        alive[at].0.first_token();
                        alive[at].1 = u64::MAX;
                    }
                    3 if !alive.is_empty() => drop(alive.swap_remove(at % alive.len())),
                    _ => {}
                }
                let waiting = alive.iter().filter(|(_, tokens)| *tokens != u64::MAX);
                let (count, sum) = waiting.fold((0, 0), |(count, sum), one| (count + 1, sum + one.1));
                prop_assert_eq!(usize::try_from(load.in_flight()).unwrap(), alive.len());
                prop_assert_eq!((load.awaiting(), load.queued_prefill()), (count, sum));
            }
            drop(alive);
            prop_assert_eq!((load.in_flight(), load.awaiting(), load.queued_prefill()), (0, 0, 0));
        }
    }

    #[test]
    fn a_panic_releases_too() {
        let load = Arc::new(Load::default());
        let inner = Arc::clone(&load);
        let ended = std::panic::catch_unwind(move || {
            let _guard = inner.dispatch(10);
            panic!("the task was torn down");
        });
        assert!(ended.is_err());
        assert_eq!((load.in_flight(), load.queued_prefill()), (0, 0));
    }
}
