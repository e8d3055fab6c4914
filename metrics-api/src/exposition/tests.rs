//! The text of a scrape, from hand-made pulses.

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, ProtobufEncoder, Registry};

use super::*;

const NOW: UnixMillis = UnixMillis(1_795_424_574_000);

fn encoded(registry: &Registry) -> Vec<u8> {
    let mut bytes = Vec::new();
    ProtobufEncoder::new()
        .encode(&registry.gather(), &mut bytes)
        .expect("valid families");
    bytes
}

/// A registry with one family of each type.
fn families(count: u64) -> Vec<u8> {
    let registry = Registry::new();
    let requests = IntCounterVec::new(
        Opts::new("streamgauge_requests_total", "Requests, once each."),
        &["model_name", "proxy"],
    )
    .expect("a valid counter");
    requests
        .with_label_values(&["with \"quotes\" and \\ and\nlines", "forged"])
        .inc_by(count);
    let ttft = HistogramVec::new(
        HistogramOpts::new("streamgauge_time_to_first_token_seconds", "Time to first token.")
            .buckets(vec![0.1, 1.0]),
        &["model_name"],
    )
    .expect("a valid histogram");
    ttft.with_label_values(&["m"]).observe(0.5);
    registry.register(Box::new(requests)).expect("a new name");
    registry.register(Box::new(ttft)).expect("a new name");
    encoded(&registry)
}

fn pulse(instance: &str, age_ms: i64, families: Vec<u8>) -> Pulse {
    Pulse {
        instance: instance.into(),
        version: "0.1.0".to_owned(),
        started_at: UnixMillis(0),
        at: UnixMillis(NOW.0 - age_ms),
        in_flight: 0,
        waiting: 0,
        replicas: Vec::new(),
        ledger: None,
        families,
    }
}

fn scraped(pulses: Option<&[Pulse]>) -> String {
    let text = text(pulses, NOW).expect("the encoder accepts what we give it");
    let text = String::from_utf8(text).expect("the text is UTF-8");
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn a_fleet_is_one_exposition_with_the_proxies_as_a_label() {
    let pulses = [
        pulse("a:8001", 200, families(3)),
        pulse("b:8001", 15_000, families(4)),
    ];
    insta::assert_snapshot!(scraped(Some(&pulses)));
}

#[test]
fn stale_unreadable_and_forgotten_proxies_do_not_spoil_the_scrape() {
    let mut cut = families(1);
    cut.truncate(cut.len() - 3);
    let pulses = [
        pulse("stale", 15_001, families(3)),
        pulse("cut", 0, cut),
        pulse("empty", 0, Vec::new()),
        pulse("forgotten", 3_600_001, families(3)),
    ];
    insta::assert_snapshot!(scraped(Some(&pulses)));
}

#[test]
fn without_a_ledger_the_scrape_says_so() {
    insta::assert_snapshot!(scraped(None));
}

#[test]
fn a_type_that_changed_between_versions_is_left_out_for_the_later_proxy() {
    let registry = Registry::new();
    let gauge = GaugeVec::new(
        Opts::new("streamgauge_requests_total", "Was a gauge once."),
        &["model_name"],
    )
    .expect("a valid gauge");
    gauge.with_label_values(&["m"]).set(1.0);
    registry.register(Box::new(gauge)).expect("a new name");
    let pulses = [pulse("a", 0, families(3)), pulse("old", 0, encoded(&registry))];
    let text = scraped(Some(&pulses));
    let series: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("streamgauge_requests_total"))
        .collect();
    assert_eq!(series.len(), 1, "one type per name: {series:?}");
    assert!(series.first().is_some_and(|line| line.contains("proxy=\"a\"")));
}

#[test]
fn every_family_has_help_and_a_type_once() {
    let pulses = [pulse("a", 0, families(3)), pulse("b", 0, families(4))];
    let text = scraped(Some(&pulses));
    for name in [
        "streamgauge_requests_total",
        "streamgauge_time_to_first_token_seconds",
        "streamgauge_api_build_info",
    ] {
        for word in ["HELP", "TYPE"] {
            let head = format!("# {word} {name} ");
            assert_eq!(text.matches(&head).count(), 1, "{head}");
        }
    }
}
