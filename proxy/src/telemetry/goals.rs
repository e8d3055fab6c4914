//! Requests by goal: goodput that needs no bucket to lie on a goal, and no division of histograms.

use prometheus::IntCounterVec;

use super::maker::Maker;
use crate::slo::Verdict;

/// How requests stand to the service goals.
#[derive(Debug)]
pub(super) struct GoalCounts {
    requests: IntCounterVec,
}

// === impl GoalCounts ===

impl GoalCounts {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            requests: make.counters(
                "slo_requests_total",
                "Requests by service goal (ttft, tpot, e2e, all together) and whether they met it.",
                &["slo", "result"],
            ),
        }
    }

    pub(super) fn observe(&self, verdict: Verdict) {
        for (goal, good) in [
            ("ttft", verdict.ttft),
            ("tpot", verdict.tpot),
            ("e2e", verdict.e2e),
            ("all", verdict.all),
        ] {
            if let Some(good) = good {
                let result = if good { "good" } else { "bad" };
                self.requests.with_label_values(&[goal, result]).inc();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_judged_is_counted() {
        let make = Maker::default();
        let counts = GoalCounts::new(&make);
        counts.observe(Verdict::default());
        counts.observe(Verdict {
            ttft: Some(true),
            tpot: None,
            e2e: Some(false),
            all: Some(false),
        });
        let count = |labels: [&str; 2]| counts.requests.with_label_values(&labels).get();
        assert_eq!((count(["ttft", "good"]), count(["ttft", "bad"])), (1, 0));
        assert_eq!((count(["tpot", "good"]), count(["tpot", "bad"])), (0, 0));
        assert_eq!((count(["e2e", "bad"]), count(["all", "bad"])), (1, 1));
    }
}
