//! What chance decides, and that it decides the same twice.

use super::*;

fn draw(settings: &Settings, id: &str, body: &str) -> (Draw, Replica) {
    let replica = Replica::new(settings.clone(), 0);
    let ask = Ask::read(Kind::Chat, body.as_bytes()).unwrap();
    let overrides = Overrides {
        request_id: Some(id),
        ..Overrides::default()
    };
    let draw = replica.draw(Kind::Chat, &ask, &overrides);
    (draw, replica)
}

const BODY: &str = r#"{"messages":[]}"#;

#[test]
fn the_same_seed_and_request_id_draw_the_same() {
    let settings = Settings {
        ttft: Duration::from_millis(80),
        itl: Duration::from_millis(10),
        jitter: 0.5,
        tokens: "1..1000".parse().unwrap(),
        ..Settings::default()
    };
    let decide = |settings: &Settings, id: &str| {
        let (mut draw, replica) = draw(settings, id, BODY);
        let prompt = PromptTokens { total: 10, cached: 0 };
        (
            draw.choices[0].tokens,
            replica.prefill_time(&mut draw, prompt),
            replica.token_time(&mut draw),
        )
    };
    assert_eq!(
        decide(&settings, "a"),
        decide(&settings, "a"),
        "nothing but seed and id decides"
    );
    assert_ne!(
        decide(&settings, "a"),
        decide(&settings, "b"),
        "another request draws anew"
    );
    let other = Settings {
        seed: 2,
        ..settings.clone()
    };
    assert_ne!(
        decide(&settings, "a"),
        decide(&other, "a"),
        "another seed draws anew"
    );
}

#[test]
fn a_cap_ends_with_length_and_no_cap_with_stop() {
    let settings = Settings {
        tokens: "10".parse().unwrap(),
        reasoning: 0.5,
        ..Settings::default()
    };
    let (capped, _) = draw(&settings, "a", r#"{"messages":[],"max_tokens":4,"n":2}"#);
    assert_eq!(capped.choices.len(), 2);
    assert_eq!(
        (capped.choices[0].tokens, capped.choices[0].finish),
        (4, "length")
    );
    assert_eq!(capped.choices[0].reasoning, 2, "half of four");
    let (free, _) = draw(&settings, "a", r#"{"messages":[],"max_tokens":40}"#);
    assert_eq!((free.choices[0].tokens, free.choices[0].finish), (10, "stop"));
}

#[test]
fn the_prefix_cache_shortens_prefill_and_speed_divides_it() {
    let settings = Settings {
        ttft: Duration::from_millis(10),
        prefill_per_token: Duration::from_millis(1),
        speed: 2.0,
        ..Settings::default()
    };
    let (mut draw, replica) = draw(&settings, "a", BODY);
    let cold = replica.prefill_time(
        &mut draw,
        PromptTokens {
            total: 100,
            cached: 0,
        },
    );
    let warm = replica.prefill_time(
        &mut draw,
        PromptTokens {
            total: 100,
            cached: 80,
        },
    );
    assert_eq!(cold, Duration::from_millis(55));
    assert_eq!(warm, Duration::from_millis(15));
}

#[test]
fn jitter_keeps_the_mean_and_has_a_tail() {
    let settings = Settings {
        itl: Duration::from_millis(10),
        jitter: 0.5,
        ..Settings::default()
    };
    let (mut draw, replica) = draw(&settings, "a", BODY);
    let times: Vec<f64> = (0..4_000)
        .map(|_| replica.token_time(&mut draw).as_secs_f64())
        .collect();
    let mean = times.iter().sum::<f64>() / 4_000.0;
    assert!(
        (0.009_5..0.010_5).contains(&mean),
        "the mean is {mean} s, not 10 ms"
    );
    assert!(
        times.iter().any(|time| *time > 0.03),
        "no token in 4000 took three times the mean"
    );
}

#[test]
fn a_full_batch_stretches_the_gap() {
    let settings = Settings {
        itl: Duration::from_millis(10),
        contention: 1.0,
        max_num_seqs: 4,
        ..Settings::default()
    };
    let (mut draw, replica) = draw(&settings, "a", BODY);
    let alone = replica.token_time(&mut draw);
    let _crowd = replica.stats.running.hold(4);
    assert_eq!(replica.token_time(&mut draw), alone * 2);
}

#[test]
fn an_unknown_model_is_refused_and_none_means_the_first() {
    let replica = Replica::new(
        Settings {
            models: vec!["a".into(), "b".into()],
            ..Settings::default()
        },
        0,
    );
    assert_eq!(replica.model(None).unwrap(), "a");
    assert_eq!(replica.model(Some("b")).unwrap(), "b");
    assert_eq!(replica.model(Some("c")).unwrap_err().status, 404);
}
