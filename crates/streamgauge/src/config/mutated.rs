//! Files that went wrong in some way: each is refused in words, or is a configuration that reads back.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// Every key, and more than one of what may stand there more than once.
const SEED_FILES: [&str; 2] = [
    include_str!("../../../../conf/full.yaml"),
    "proxy: {listen: ['127.0.0.1:0', '[::1]:0'], grace: 90s, threads: 3}\n\
     pools:\n\
     - name: chat\n\
     \x20 models: [m, '*']\n\
     \x20 aliases: {gpt: m}\n\
     \x20 replicas: [{url: 'http://a:1', drain: true, weight: 2}, 'https://b']\n\
     \x20 dns: {url: 'http://llm:8000', servers: [10.0.0.1], networks: [10.0.0.0/8]}\n\
     \x20 file: replicas.yaml\n\
     - name: small\n\
     \x20 dns: http://_http._tcp.llm\n\
     identity: {keys: [{name: a, key: b}], tags: {team: 'header:x-team'}}\n",
];

/// Words that stand where they do not belong.
const WORDS: [&str; 12] = [
    "-1",
    "1e9",
    "null",
    "[]",
    "{}",
    "'",
    "${X}",
    "0s",
    "http://",
    "\u{fffd}",
    "18446744073709551616",
    "&a *a",
];

/// Mutations of each file. Why this number: a second of tests.
const MUTATIONS: usize = 1_000;

fn mutate(text: &str, random: &mut StdRng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..random.random_range(1..=3) {
        let at = random.random_range(0..lines.len());
        match random.random_range(0..7) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = random.random_range(0..lines.len());
                lines.swap(at, other);
            }
            3 => lines[at].insert_str(0, "  "),
            4 => lines[at] = lines[at].replacen(": ", ":", 1),
            5 => {
                let word = WORDS[random.random_range(0..WORDS.len())];
                let key = lines[at].split(": ").next().unwrap_or_default().to_owned();
                lines[at] = format!("{key}: {word}");
            }
            _ => {
                let cut = random.random_range(0..=lines[at].len());
                let cut = (0..=cut).rev().find(|cut| lines[at].is_char_boundary(*cut));
                lines[at].truncate(cut.unwrap_or(0));
            }
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
    }
    lines.join("\n")
}

#[test]
fn what_went_wrong_is_refused_in_words_or_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, resolved) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
    let mut random = StdRng::seed_from_u64(4);
    let (mut taken, mut refusals) = (0, BTreeSet::new());
    for seed in SEED_FILES {
        for _ in 0..MUTATIONS {
            let text = mutate(seed, &mut random);
            std::fs::write(&path, &text).unwrap();
            match load(Some(&path), &Environment::default(), &Flags::default()) {
                Ok(config) => {
                    taken += 1;
                    std::fs::write(&resolved, config.to_yaml(Secrets::Shown)).unwrap();
                    let again =
                        load_resolved(&resolved).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
                    assert_eq!(
                        format!("{:?}", again.proxy_settings()),
                        format!("{:?}", config.proxy_settings()),
                        "{text}"
                    );
                }
                Err(problems) => {
                    assert!(!problems.0.is_empty(), "{text}");
                    for problem in &problems.0 {
                        assert!(!problem.message.is_empty(), "{text}");
                        let told = !problem.key.is_empty() || problem.to_string().contains("a.yaml:");
                        assert!(told, "`{problem}` names neither a key nor a line:\n{text}");
                        refusals.insert(problem.message.clone());
                    }
                }
            }
        }
    }
    assert!(taken > 100, "{taken} of the mutated files are right all the same");
    assert!(refusals.len() > 50, "refused in {} ways", refusals.len());
}
