//! `docs/metrics.md` against what the service really answers, in both directions.
//!
//! The proxy's own metric names are held to the page by its own tests: only there the whole registry exists.

use std::collections::BTreeSet;

use crate::Service;

const PAGE: &str = include_str!("../../../docs/metrics.md");

/// The names in backticks in the first column of the tables below a heading.
fn named_below(heading: &str) -> BTreeSet<&'static str> {
    let (_, after) = PAGE
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("docs/metrics.md has no `{heading}`"));
    let section = after.split("\n#").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|row| row.split(" |").next().unwrap().split(", "))
        .map(|name| name.trim_matches('`'))
        .collect()
}

/// The names of the families in a scrape.
fn families(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect()
}

#[tokio::test]
async fn the_page_defines_exactly_the_fields_of_a_request() {
    let service = Service::filled().await;
    let body = service.get("/api/v1/requests").await.json();
    let defined = named_below("## The record");
    let requests = body["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 6, "there are requests to look at");
    for request in requests {
        let fields: BTreeSet<&str> = request.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            fields, defined,
            "the answer's fields, and those of docs/metrics.md"
        );
    }
}

#[tokio::test]
async fn every_metric_of_a_scrape_is_on_the_page() {
    let service = Service::filled().await;
    let text = service.get("/metrics").await.text;
    let page = named_below("## Prometheus");
    let scraped = families(&text);
    let missing: Vec<_> = scraped.difference(&page).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
    let ours = |name: &&&str| name.starts_with("streamgauge_api_") || name.starts_with("streamgauge_pulse_");
    let (promised, given): (Vec<_>, Vec<_>) = (
        page.iter().filter(ours).collect(),
        scraped.iter().filter(ours).collect(),
    );
    assert_eq!(given.len(), 4, "{text}");
    assert_eq!(
        promised, given,
        "the page and the scrape name the same ones of the API"
    );
}

#[test]
fn every_outcome_and_flag_is_on_the_page() {
    let outcomes = named_below("### Outcome");
    let all: BTreeSet<&str> = record::Outcome::ALL
        .iter()
        .map(|outcome| outcome.as_str())
        .collect();
    assert_eq!(all, outcomes, "the outcomes, and those of docs/metrics.md");
    let flags: Vec<&str> = record::Flags::from_bits(u32::MAX).names().collect();
    assert!(flags.len() > 5, "{flags:?}");
    for flag in flags {
        assert!(PAGE.contains(&format!("`{flag}`")), "`{flag}` is not defined");
    }
}
