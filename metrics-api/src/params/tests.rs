//! What a caller hears about a parameter that we cannot accept.

use record::{Endpoint, Outcome, UnixMillis};

use super::{Params, word};
use crate::error::ApiError;

const NOW: UnixMillis = UnixMillis(1_795_424_574_007);

fn refusal(raw: &str) -> String {
    let mut params = Params::parse(Some(raw));
    let read = params.windowed(NOW).map(|_| ());
    read.and_then(|()| params.finish())
        .expect_err("these parameters must be refused")
        .to_string()
}

#[test]
fn every_refusal_names_the_parameter_the_value_and_the_accepted_forms() {
    let heard: Vec<String> = [
        "from=yesterday",
        "from=now-15m&from=now",
        "from=",
        "from=now&to=now-1h",
        "outcome=succes",
        "endpoint=%00",
        "stream=yes",
        "modle=a",
        "zzz=1",
    ]
    .iter()
    .map(|raw| format!("{raw}\n  {}", refusal(raw)))
    .collect();
    insta::assert_snapshot!(heard.join("\n"));
}

#[test]
fn filters_of_one_name_add_up_and_names_may_hold_commas() {
    let mut params = Params::parse(Some(
        "model=a%2Cb&model=c&outcome=success&endpoint=chat&stream=true",
    ));
    let read = params.windowed(NOW).expect("all of it is known");
    let filter = read.query.filter;
    assert_eq!(filter.model, ["a,b".into(), "c".into()]);
    assert_eq!(filter.outcome, [Outcome::Success]);
    assert_eq!(filter.endpoint, [Endpoint::Chat]);
    assert_eq!(filter.stream, Some(true));
    params.finish().expect("nothing is left");
}

#[test]
fn the_default_window_is_the_last_hour() {
    let read = Params::parse(None).windowed(NOW).expect("nothing is given");
    assert_eq!(read.query.to, NOW);
    assert_eq!(read.query.from, UnixMillis(NOW.0 - 3_600_000));
}

#[test]
fn limits_are_whole_numbers_within_bounds() {
    let limit = |raw: &str| Params::parse(Some(raw)).limit("limit", 1_000);
    assert_eq!(limit("limit=1000").expect("the largest"), Some(1_000));
    assert_eq!(limit("").expect("left out"), None);
    for raw in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "limit=99999999999999999999",
    ] {
        assert!(matches!(limit(raw), Err(ApiError::BadParameter(_))), "{raw}");
    }
}

#[test]
fn a_flood_of_values_and_a_huge_value_are_refused_briefly() {
    let flood = "model=a&".repeat(201);
    assert!(refusal(&flood).contains("the most is 200"));
    let huge = format!("from={}", "x".repeat(10_000));
    assert!(refusal(&huge).len() < 300, "the value is not repeated in full");
}

#[test]
fn words_suggest_what_was_meant() {
    let refused = word("sucess", Outcome::ALL, Outcome::as_str).expect_err("misspelt");
    assert!(
        refused.starts_with("did you mean `success`? write one of success, "),
        "{refused}"
    );
}
