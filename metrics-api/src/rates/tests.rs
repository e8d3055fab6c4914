//! Rates from hand-made pulses.

use prometheus::{Encoder, IntCounterVec, Opts, ProtobufEncoder, Registry};

use super::*;

const T0: i64 = 1_795_424_574_000;

/// The registry of a proxy that has counted so much.
fn families(successes: u64, failures: u64, tokens: Option<u64>) -> Vec<u8> {
    let registry = Registry::new();
    let counter = |name: &str, label: &str| {
        let counter = IntCounterVec::new(Opts::new(name, "help"), &[label]).expect("a valid counter");
        registry.register(Box::new(counter.clone())).expect("a new name");
        counter
    };
    let requests = counter("streamgauge_requests_total", "outcome");
    for (outcome, count) in [("success", successes), ("upstream_error", failures)] {
        if count > 0 {
            requests.with_label_values(&[outcome]).inc_by(count);
        }
    }
    if let Some(tokens) = tokens {
        counter("streamgauge_generation_tokens_total", "model_name")
            .with_label_values(&["m"])
            .inc_by(tokens);
    }
    let mut bytes = Vec::new();
    ProtobufEncoder::new()
        .encode(&registry.gather(), &mut bytes)
        .expect("valid families");
    bytes
}

fn pulse(instance: &str, second: i64, families: Vec<u8>) -> Pulse {
    Pulse {
        instance: instance.into(),
        version: "0.1.0".to_owned(),
        started_at: UnixMillis(T0),
        at: UnixMillis(T0 + second * 1_000),
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families,
    }
}

fn observe(rates: &mut Rates, pulses: &[Pulse], second: i64) -> RateSet {
    rates.observe(pulses, UnixMillis(T0 + second * 1_000))
}

#[test]
fn one_pulse_says_nothing_about_rates() {
    let mut rates = Rates::default();
    let only = [pulse("a", 1, families(10, 0, Some(100)))];
    assert_eq!(observe(&mut rates, &only, 1), RateSet::default());
    assert_eq!(
        observe(&mut rates, &only, 2),
        RateSet::default(),
        "the same pulse twice is one pulse"
    );
}

#[test]
fn rates_add_up_over_proxies_and_separate_failures() {
    let mut rates = Rates::default();
    let at = |second, requests, tokens| {
        [
            pulse("a", second, families(requests, 2, Some(tokens))),
            pulse("b", second, families(requests, requests, Some(tokens))),
        ]
    };
    observe(&mut rates, &at(0, 10, 1_000), 0);
    let flow = observe(&mut rates, &at(2, 20, 1_400), 2);
    assert_eq!(flow.requests_per_second, Some(15.0), "a: 10 in 2 s, b: 20 in 2 s");
    assert_eq!(flow.failures_per_second, Some(5.0), "only b failed anew");
    assert_eq!(flow.tokens_per_second, Some(400.0));
}

#[test]
fn the_span_is_the_last_ten_seconds() {
    let mut rates = Rates::default();
    let mut flow = RateSet::default();
    for second in 0..30 {
        let counted = u64::try_from(second).expect("positive") * if second < 15 { 100 } else { 0 } + 1;
        let total = if second < 15 { counted } else { 1_401 };
        flow = observe(
            &mut rates,
            &[pulse("a", second, families(total, 0, None))],
            second,
        );
    }
    assert_eq!(
        flow.requests_per_second,
        Some(0.0),
        "what was 15 s ago no longer counts"
    );
}

#[test]
fn an_idle_proxy_has_no_rate_but_zero_and_a_missing_counter_is_unknown() {
    let mut rates = Rates::default();
    observe(&mut rates, &[pulse("a", 0, families(0, 0, None))], 0);
    let idle = observe(&mut rates, &[pulse("a", 1, families(0, 0, None))], 1);
    assert_eq!(
        idle.tokens_per_second,
        Some(0.0),
        "nothing was counted because nothing came"
    );
    let busy = observe(&mut rates, &[pulse("a", 2, families(5, 0, None))], 2);
    assert_eq!(
        busy.tokens_per_second, None,
        "requests came, but this proxy counts no tokens"
    );
}

#[test]
fn a_restart_a_stale_pulse_and_broken_bytes_start_over() {
    let mut rates = Rates::default();
    observe(&mut rates, &[pulse("a", 0, families(1_000, 0, None))], 0);
    let restarted = Pulse {
        started_at: UnixMillis(T0 + 500),
        ..pulse("a", 1, families(3, 0, None))
    };
    assert_eq!(
        observe(&mut rates, &[restarted], 1),
        RateSet::default(),
        "counters began anew"
    );
    assert_eq!(
        observe(&mut rates, &[pulse("a", 2, families(4, 0, None))], 60),
        RateSet::default(),
        "stale"
    );
    observe(&mut rates, &[pulse("a", 70, families(5, 0, None))], 70);
    let broken = [pulse("a", 71, vec![0xff])];
    assert_eq!(observe(&mut rates, &broken, 71), RateSet::default(), "unreadable");
}
