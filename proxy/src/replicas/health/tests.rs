//! Every state with every event, and the stories that the table alone does not tell.

use super::*;
use crate::clock;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> HealthSettings {
    HealthSettings {
        passes: 2,
        failures: 2,
        eject_after: 3,
        eject_for: SECOND * 10,
        eject_max: SECOND * 60,
        ..HealthSettings::default()
    }
}

const EVENTS: [Event; 11] = [
    Event::ProbePassed,
    Event::ProbeFailed,
    Event::ProbeSilent,
    Event::Refused,
    Event::Vanished,
    Event::Answered { trial: false },
    Event::Answered { trial: true },
    Event::Failed { trial: false },
    Event::Failed { trial: true },
    Event::Slow,
    Event::Tick,
];

/// A replica in each place of the machine, one event before each edge.
fn places(now: Instant) -> Vec<(&'static str, Health)> {
    let place = |phase, probes_failed, requests_failed| Health {
        phase,
        probes_failed,
        requests_failed,
        ..Health::new()
    };
    let ejected = Phase::Ejected { until: now + SECOND };
    let over = Phase::Ejected { until: now };
    let down = |why, passed| Phase::Down { why, passed };
    vec![
        ("unknown", place(Phase::Unknown, 0, 0)),
        ("unknown, at its limits", place(Phase::Unknown, 1, 2)),
        ("up", place(Phase::Up, 0, 0)),
        ("up, at its limits", place(Phase::Up, 1, 2)),
        ("ejected", place(ejected, 0, 0)),
        ("ejected, time over", place(over, 0, 0)),
        ("half-open, free", place(Phase::HalfOpen { trying: false }, 0, 0)),
        ("half-open, tried", place(Phase::HalfOpen { trying: true }, 0, 0)),
        ("down, ill, one pass", place(down(Why::Ill, 1), 0, 0)),
        ("down, silent", place(down(Why::Silent, 0), 9, 0)),
        ("down, refused", place(down(Why::Refused, 0), 9, 0)),
        ("down, vanished, one pass", place(down(Why::Vanished, 1), 0, 0)),
    ]
}

#[test]
fn every_state_and_every_event_have_one_answer() {
    let now = clock::now();
    let mut table = String::new();
    for (name, health) in places(now) {
        let silent = if health.is_silent() { ", silent" } else { "" };
        table.push_str(&format!("{name} ({:?}{silent})\n", health.standing()));
        for event in EVENTS {
            let mut after = health;
            let news = after.on(event, now, &settings());
            let mark = if news { "->" } else { "  " };
            table.push_str(&format!(
                "  {:<26} {mark} {:<9} {:?}\n",
                format!("{event:?}"),
                after.state().as_str(),
                after.standing()
            ));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_half_open_replica_lets_exactly_one_request_through() {
    let now = clock::now();
    let mut health = Health::new();
    assert!(!health.take_trial(), "nothing to try before an ejection");
    for _ in 0..3 {
        health.on(Event::Failed { trial: false }, now, &settings());
    }
    assert_eq!(
        health.ejected_for(now),
        Some(SECOND * 10),
        "three failures in a row"
    );
    assert!(!health.take_trial(), "not while it is ejected");
    health.on(Event::Tick, now + SECOND * 10, &settings());
    assert!(health.take_trial(), "one");
    assert!(!health.take_trial(), "and no second");
    health.trial_over();
    assert!(health.take_trial(), "a client that left has shown nothing");
    health.on(Event::Answered { trial: true }, now, &settings());
    assert_eq!(health.standing(), Standing::Open);
}

#[test]
fn ejections_that_follow_closely_double_up_to_the_longest() {
    let mut now = clock::now();
    let mut health = Health::new();
    let mut spans = Vec::new();
    for _ in 0..3 {
        health.on(Event::Failed { trial: false }, now, &settings());
    }
    for _ in 0..5 {
        let span = health.ejected_for(now).expect("ejected");
        spans.push(span.as_secs());
        now += span;
        health.on(Event::Tick, now, &settings());
        assert!(health.take_trial());
        health.on(Event::Failed { trial: true }, now, &settings());
    }
    assert_eq!(spans, [10, 20, 40, 60, 60]);
    now += SECOND * 60;
    health.on(Event::Tick, now, &settings());
    health.take_trial();
    health.on(Event::Answered { trial: true }, now, &settings());
    now += SECOND * 61;
    for _ in 0..3 {
        health.on(Event::Failed { trial: false }, now, &settings());
    }
    assert_eq!(
        health.ejected_for(now),
        Some(SECOND * 10),
        "a good minute starts the count anew"
    );
}

#[test]
fn only_failures_in_a_row_eject() {
    let now = clock::now();
    let mut health = Health::new();
    for _ in 0..10 {
        health.on(Event::Failed { trial: false }, now, &settings());
        health.on(Event::Failed { trial: false }, now, &settings());
        health.on(Event::Answered { trial: false }, now, &settings());
    }
    assert_eq!(health.state(), ReplicaState::Up);
}

#[test]
fn a_standing_reads_back_from_its_code() {
    for standing in [
        Standing::Open,
        Standing::Trial,
        Standing::Doubtful,
        Standing::Gone,
    ] {
        assert_eq!(Standing::from_code(standing.code()), standing);
    }
}
