//! Rates from the counters in the pulses: pure arithmetic over what the caller brings.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use record::{Name, Outcome, Pulse, UnixMillis};

use crate::exposition::{decode, is_fresh};
use crate::model::RateSet;

/// Rates are taken over this span. Why this number: over one second a dozen requests look like noise, and
/// over a minute a stop is noticed late.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// The counters of all proxies, as the last pulses had them.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<Name, VecDeque<Sample>>);

/// The counters of one pulse.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: UnixMillis,
    started_at: UnixMillis,
    counters: Counters,
}

/// Sums over all series of a family. `None`: the proxy does not have that counter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counters {
    requests: f64,
    failures: f64,
    tokens: Option<f64>,
    prompt_tokens: Option<f64>,
    token_events: Option<f64>,
}

// === impl Rates ===

impl Rates {
    /// Takes in the pulses as of `now` and says what flows through all live proxies.
    pub(crate) fn observe(&mut self, pulses: &[Pulse], now: UnixMillis) -> RateSet {
        let fresh: Vec<&Pulse> = pulses.iter().filter(|pulse| is_fresh(pulse, now)).collect();
        self.0
            .retain(|instance, _| fresh.iter().any(|pulse| pulse.instance == *instance));
        for pulse in fresh {
            self.add(pulse);
        }
        self.sum()
    }

    fn add(&mut self, pulse: &Pulse) {
        let samples = self.0.entry(pulse.instance.clone()).or_default();
        if samples.back().is_some_and(|last| last.at == pulse.at) {
            return;
        }
        if samples
            .back()
            .is_some_and(|last| last.started_at != pulse.started_at || last.at > pulse.at)
        {
            // A restarted proxy counts from zero again.
            samples.clear();
        }
        let Ok(families) = decode(&pulse.families) else {
            samples.clear();
            return;
        };
        samples.push_back(Sample {
            at: pulse.at,
            started_at: pulse.started_at,
            counters: Counters::of(&families),
        });
        // The sample just outside of the span stays, so that the span is covered.
        while samples.len() > 2
            && samples
                .get(1)
                .is_some_and(|next| next.at.age_at(pulse.at) >= RATE_SPAN)
        {
            samples.pop_front();
        }
    }

    fn sum(&self) -> RateSet {
        let mut total = RateSet::default();
        for samples in self.0.values() {
            let (Some(first), Some(last)) = (samples.front(), samples.back()) else {
                continue;
            };
            let seconds = first.at.age_at(last.at).as_secs_f64();
            if seconds <= 0.0 {
                continue;
            }
            let rate = |pick: fn(&Counters) -> Option<f64>| {
                let (before, after) = (pick(&first.counters)?, pick(&last.counters)?);
                Some((after - before).max(0.0) / seconds)
            };
            add(
                &mut total.requests_per_second,
                rate(|counters| Some(counters.requests)),
            );
            add(
                &mut total.failures_per_second,
                rate(|counters| Some(counters.failures)),
            );
            add(&mut total.tokens_per_second, rate(|counters| counters.tokens));
            add(
                &mut total.prompt_tokens_per_second,
                rate(|counters| counters.prompt_tokens),
            );
            add(
                &mut total.token_events_per_second,
                rate(|counters| counters.token_events),
            );
        }
        total
    }
}

// === impl Counters ===

impl Counters {
    fn of(families: &[MetricFamily]) -> Self {
        let sum = |name: &str| {
            families
                .iter()
                .find(|family| family.name() == name)
                .map(|family| family.get_metric().iter().map(|m| m.get_counter().value()).sum())
        };
        let requests = sum("streamgauge_requests_total").unwrap_or(0.0);
        // Counters with labels appear with their first request. Before any, what is absent is zero;
        // afterwards it is a counter that this proxy does not have.
        let known = |value: Option<f64>| value.or_else(|| (requests == 0.0).then_some(0.0));
        Self {
            requests,
            failures: failures(families),
            tokens: known(sum("streamgauge_generation_tokens_total")),
            prompt_tokens: known(sum("streamgauge_prompt_tokens_total")),
            token_events: known(sum("streamgauge_stream_events_total")),
        }
    }
}

/// Requests whose outcome is a failure of the serving side.
fn failures(families: &[MetricFamily]) -> f64 {
    families
        .iter()
        .filter(|family| family.name() == "streamgauge_requests_total")
        .flat_map(MetricFamily::get_metric)
        .filter(|metric| {
            let outcome = metric.get_label().iter().find(|label| label.name() == "outcome");
            outcome
                .and_then(|label| Outcome::parse(label.value()))
                .is_some_and(Outcome::is_failure)
        })
        .map(|metric| metric.get_counter().value())
        .sum()
}

/// Adds what is known; a sum of unknowns is unknown.
fn add(total: &mut Option<f64>, part: Option<f64>) {
    if let Some(part) = part {
        *total = Some(total.unwrap_or(0.0) + part);
    }
}

#[cfg(test)]
mod tests;
