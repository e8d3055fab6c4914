//! The configuration as a whole: layers, complaints, the way back through YAML.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

/// A file with this text, in a folder that goes away with it.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("streamgauge.yaml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn loaded(text: &str, env: &Environment, flags: &Flags) -> Result<Config, Problems> {
    let (_folder, path) = file(text);
    load(Some(&path), env, flags)
}

/// The complaints about a file, without the name of its folder.
fn complaints(text: &str, env: &Environment) -> Vec<String> {
    let (folder, path) = file(text);
    let folder = format!("{}/", folder.path().display());
    let problems = load(Some(&path), env, &Flags::default()).expect_err("the file must be refused");
    problems
        .to_string()
        .lines()
        .map(|line| line.replace(&folder, ""))
        .collect()
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = load(None, &Environment::default(), &Flags::default()).unwrap();
    assert_eq!(config.proxy.listen, ["0.0.0.0:8001"]);
    assert_eq!(config.proxy.ops_listen, "127.0.0.1:8003");
    assert_eq!(config.metrics_api.listen.to_string(), "127.0.0.1:8002");
    assert_eq!(
        config.proxy.pools[0].replicas[0].url, "http://127.0.0.1:8000",
        "vLLM's own default"
    );
    assert_eq!(config.metrics_api_settings().proxy_url, "http://localhost:8001");
    assert!(
        config.proxy_settings().instance.ends_with(":8001"),
        "the host's name and the port"
    );
}

#[test]
fn flags_win_over_variables_over_old_names_over_the_file() {
    let text = "ledger: {url: 'sqlite://file.db'}\nproxy: {listen: ['127.0.0.1:1'], max_body: 1MiB}\n";
    let env = Environment::of([
        ("DB_PATH", "old.db"),
        ("PROXY_PORT", "2"),
        ("STREAMGAUGE_PROXY__LISTEN", "127.0.0.1:3"),
    ]);
    let flags = Flags {
        listen: vec!["127.0.0.1:4".to_owned()],
        ..Flags::default()
    };
    let config = loaded(text, &env, &flags).unwrap();
    assert_eq!(config.proxy.listen, ["127.0.0.1:4"], "the flag wins");
    assert_eq!(
        config.proxy.ledger, "sqlite://old.db",
        "the old name wins over the file"
    );
    assert_eq!(
        config.proxy.limits.body,
        1 << 20,
        "the file wins over the default"
    );
    let config = loaded(text, &env, &Flags::default()).unwrap();
    assert_eq!(
        config.proxy.listen,
        ["127.0.0.1:3"],
        "the new name wins over the old one"
    );
}

#[test]
fn every_complaint_names_its_line_its_key_and_the_way_out() {
    let text = "proxy:\n  listen: [8001]\n  max_bdy: 1MiB\n  grace: 5\npools:\n  - replicas:\n\
                \x20     - 10.0.0.1:8000\n      - http://h:1/v1\n    upstream_key: ${KEY_OF_NOBODY}\n\
                ledger: {url: a.db}\ncolour: red\n";
    let lines = complaints(text, &Environment::default());
    for (start, hint) in [
        ("streamgauge.yaml:2: proxy.listen[0]: ", "0.0.0.0:8001"),
        ("streamgauge.yaml:3: proxy.max_bdy: ", "did you mean `max_body`?"),
        ("streamgauge.yaml:4: proxy.grace: ", "250ms"),
        (
            "streamgauge.yaml:7: pools[0].replicas[0]: ",
            "write http://10.0.0.1:8000",
        ),
        (
            "streamgauge.yaml:8: pools[0].replicas[1]: ",
            "write only http://h:1",
        ),
        (
            "streamgauge.yaml:9: pools[0].upstream_key: ",
            "`KEY_OF_NOBODY` is not set",
        ),
        ("streamgauge.yaml:10: ledger.url: ", "sqlite://a.db"),
        (
            "streamgauge.yaml:11: colour: ",
            "known here: ledger, proxy, pools, slo, identity, metrics_api",
        ),
    ] {
        let found = lines.iter().find(|line| line.starts_with(start));
        assert!(
            found.is_some_and(|line| line.contains(hint)),
            "{start}...{hint} not in {lines:#?}"
        );
    }
    assert_eq!(lines.len(), 8, "one line each: {lines:#?}");
}

#[test]
fn a_variable_is_named_when_it_is_wrong() {
    let env = Environment::of([
        ("STREAMGAUGE_PROXY__MAX_BDY", "1MiB"),
        ("STREAMGAUGE_PROXY__GRACE", "soon"),
    ]);
    let lines = complaints("", &env);
    assert!(
        lines[0].starts_with("environment variable STREAMGAUGE_PROXY__GRACE: proxy.grace: "),
        "{lines:?}"
    );
    assert!(lines[1].contains("STREAMGAUGE_PROXY__MAX_BDY"), "{lines:?}");
}

#[test]
fn pools_have_names_of_their_own_and_models() {
    let text = "pools:\n  - name: a\n    models: [x, y/z]\n    aliases: {gpt: x}\n  - name: b\n";
    let pools = loaded(text, &Environment::default(), &Flags::default())
        .unwrap()
        .proxy
        .pools;
    assert_eq!(pools.len(), 2);
    assert_eq!(*pools[0].models, ["x".into(), "y/z".into()]);
    assert_eq!(*pools[0].aliases, [("gpt".into(), "x".into())]);
    let text = "pools:\n  - name: a\n    aliases: [x]\n  - name: a\n\
                \x20   replicas: [{drain: perhaps, url: 'http://h:1'}]\n";
    let lines = complaints(text, &Environment::default());
    for (start, hint) in [
        ("streamgauge.yaml:3: pools[0].aliases: ", "gpt-4o: "),
        ("streamgauge.yaml:4: pools[1].name: ", "give each its own name"),
        (
            "streamgauge.yaml:5: pools[1].replicas[0].drain: ",
            "neither true nor false",
        ),
    ] {
        let found = lines.iter().find(|line| line.starts_with(start));
        assert!(
            found.is_some_and(|line| line.contains(hint)),
            "{start}...{hint} not in {lines:#?}"
        );
    }
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(complaints("pools: []\n", &Environment::default())[0].contains("no pool"));
}

#[test]
fn one_address_for_two_listeners_is_refused() {
    let lines = complaints(
        "metrics_api:\n  listen: 127.0.0.1:8003\n",
        &Environment::default(),
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("metrics_api.listen") && lines[0].contains("proxy.ops_listen"),
        "{lines:?}"
    );
}

#[test]
fn yaml_with_secrets_shown_reads_back_to_the_same() {
    let text = "proxy: {listen: ['127.0.0.1:0', '[::1]:0'], grace: 90s, threads: 3}\n\
                pools: [{name: chat, models: [m, '*'], aliases: {'gpt: 4': m}, usage: passthrough, \
                replicas: [{url: 'http://a:1', drain: true, weight: 3}, 'https://b'], \
                dns: {url: 'http://_http._tcp.llm', every: 5s, servers: ['[::1]:53'], \
                networks: [10.0.0.0/8]}, \
                file: {path: more.yaml, every: 2s}, \
                upstream_key: '123', timeouts: {connect: 250ms}, health: {failures: 7}}]\n\
                metrics_api: {token: 'sec${ret}', cors_origins: ['https://x.example']}\n";
    let config = loaded(text, &Environment::of([("ret", "$${ret}")]), &Flags::default()).unwrap();
    let (_folder, path) = file(&config.to_yaml(Secrets::Shown));
    let again = load_resolved(&path).unwrap();
    assert_eq!(
        format!("{:?}", again.proxy_settings()),
        format!("{:?}", config.proxy_settings())
    );
    let (api, api_again) = (config.metrics_api_settings(), again.metrics_api_settings());
    assert_eq!(
        format!("{api_again:?}"),
        format!("{api:?}"),
        "no second substitution either"
    );
    assert_eq!(again.proxy.pools[0].timeouts.connect, Duration::from_millis(250));
}

#[test]
fn replicas_may_only_be_found() {
    let text = "pools: [{dns: 'http://llm:8000'}, {name: b, file: more.yaml}]\n";
    let config = loaded(text, &Environment::default(), &Flags::default()).unwrap();
    let counts: Vec<_> = config
        .proxy
        .pools
        .iter()
        .map(|pool| (pool.replicas.len(), pool.discover.len()))
        .collect();
    assert_eq!(counts, [(0, 1), (0, 1)], "and nothing stands in for them");
    let (_folder, path) = file(&config.to_yaml(Secrets::Shown));
    let again = load_resolved(&path).unwrap();
    assert!(again.proxy.pools[0].replicas.is_empty());
    for (keys, hint) in [
        ("dns: {url: 'http://10.0.0.1:8000'}", "write it under `replicas`"),
        ("dns: {url: 'http://llm', servers: [x]}", "10.96.0.10"),
        ("dns: {url: 'http://llm', networks: [10]}", "10.0.0.0/8"),
        (
            "dns: {name: llm}",
            "known here: url, every, servers, networks, max_in_flight",
        ),
        ("dns: {every: 1s, networks: [10.0.0.0/8]}", "write dns: http://"),
        ("file: {every: 5s}", "write file: replicas.yaml"),
        ("replicas: [{url: 'http://a', weight: 0}]", "from 1 to 1000"),
        ("replicas: []", "no replica"),
    ] {
        let lines = complaints(&format!("pools:\n- {{{keys}}}\n"), &Environment::default());
        assert!(
            lines.iter().any(|line| line.contains(hint)),
            "{keys}: no {hint} in {lines:?}"
        );
    }
}

#[test]
fn a_file_of_replicas_is_a_list_as_in_the_configuration() {
    let path = std::path::Path::new("more.yaml");
    let text = "- http://a:1\n- {url: 'http://b:2', weight: 2, max_in_flight: 4, drain: true}\n";
    let replicas = replicas_in(path, text).unwrap();
    assert_eq!((replicas[0].url.as_str(), replicas[0].weight), ("http://a:1", 1));
    let second = &replicas[1];
    assert_eq!(
        (second.weight, second.max_in_flight, second.drain),
        (2, Some(4), true)
    );
    for (text, hint) in [
        ("", "no replica"),
        ("- a:1\n", "more.yaml:1: [0]: `a:1` has no scheme"),
        ("- http://a:1\n- http://a:1\n", "listed twice"),
        (
            "- {url: 'http://a:1', wieght: 2}\n",
            "more.yaml:1: [0].wieght: unknown key; did you mean `weight`?",
        ),
        ("- [", "not valid YAML"),
    ] {
        let problems = replicas_in(path, text).unwrap_err().to_string();
        assert!(problems.contains(hint), "{text}: {problems}");
    }
}

#[test]
fn masked_yaml_shows_no_secret_and_its_presence() {
    let text = "pools: [{upstream_key: hunter2}]\nmetrics_api: {token: hunter3}\n";
    let config = loaded(text, &Environment::default(), &Flags::default()).unwrap();
    let yaml = config.to_yaml(Secrets::Masked);
    assert!(!yaml.contains("hunter"), "{yaml}");
    assert_eq!(yaml.matches("********").count(), 2, "{yaml}");
    let none = load(None, &Environment::default(), &Flags::default()).unwrap();
    assert!(
        !none.to_yaml(Secrets::Masked).contains("****"),
        "no mask where there is no secret"
    );
}

#[test]
fn a_wrong_secret_is_never_repeated() {
    let lines = complaints("metrics_api: {token: 'hunter two'}\n", &Environment::default());
    assert!(!lines.concat().contains("hunter"), "{lines:?}");
}

const WHO: &str = "slo: { ttft: 2s, tpot: 50ms }\nidentity:\n  secret: 0123456789abcdef0123456789abcdef\n  \
                   keys:\n    - { name: a, key: hunter2 }\n    - { name: b, hash: 5bdcc146bf60754e }\n    \
                   - { name: c, sha256: \
                   2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae }\n  \
                   user: plain\n  user_header: X-User\n  origin: truncate\n  \
                   trusted_proxies: [10.0.0.1/8, '::1']\n  \
                   tags: { team: 'header:x-team', env: 'static:prod' }\n";

#[test]
fn who_asked_and_the_goals_read_back_to_the_same() {
    let config = loaded(WHO, &Environment::default(), &Flags::default()).unwrap();
    let identity = &config.proxy.identity;
    assert_eq!(
        identity.trusted_proxies[0].to_string(),
        "10.0.0.0/8",
        "cut to the network"
    );
    assert_eq!((identity.keys.len(), identity.tags.len()), (3, 2));
    assert_eq!(config.proxy.slo.tpot, Some(Duration::from_millis(50)));
    let (_folder, path) = file(&config.to_yaml(Secrets::Shown));
    let again = load_resolved(&path).unwrap();
    assert_eq!(again.proxy.identity, *identity);
    assert_eq!(again.proxy.slo, config.proxy.slo);
    let masked = config.to_yaml(Secrets::Masked);
    assert!(
        !masked.contains("hunter") && !masked.contains("0123456789abcdef"),
        "{masked}"
    );
}

#[test]
fn the_secret_that_nobody_gives_is_made_beside_the_ledger() {
    let config = loaded(
        "ledger: {url: 'sqlite://x/a.db'}",
        &Environment::default(),
        &Flags::default(),
    );
    let made = proxy::SecretSource::Made("x/a.secret".into());
    assert_eq!(config.unwrap().proxy.identity.secret, made);
}

#[test]
fn what_cannot_tell_anyone_apart_is_refused_in_words() {
    for (section, hint) in [
        ("secret: hunter2hunter2", "openssl rand -hex 32"),
        ("keys: [{name: a}]", "one of key, sha256 or hash"),
        (
            "keys: [{name: a, key: x, hash: 5bdcc146bf60754e}]",
            "one of key, sha256 or hash",
        ),
        ("keys: [{name: a, sha256: abc}]", "sha256sum"),
        ("keys: [{name: a, hash: abc}]", "16 hexadecimal digits"),
        ("user: everything", "write hash, plain or off"),
        ("origin: full", "write off, truncate or hash"),
        ("trusted_proxies: [10.0.0.0/99]", "10.0.0.0/8"),
        ("tags: {team: x-team}", "write header:x-team or static:prod"),
        ("tags: {Team: 'static:a'}", "use 1 to 32 of a-z"),
        ("tags: {key: 'header:Authorization'}", "carries a key"),
        (
            "tags: {a: 'static:x', b: 'static:x', c: 'static:x', d: 'static:x', e: 'static:x', \
             f: 'static:x', g: 'static:x', h: 'static:x', i: 'static:x'}",
            "at most 8",
        ),
    ] {
        let lines = complaints(&format!("identity:\n  {section}\n"), &Environment::default());
        assert!(lines[0].starts_with("streamgauge.yaml:2: identity."), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.contains(hint)),
            "no {hint} in {lines:?}"
        );
        assert!(!lines.concat().contains("hunter"), "{lines:?}");
    }
}
