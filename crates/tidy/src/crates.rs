//! Which crate may know which: dependencies point one way, and each big library is known to one crate only.

use crate::source::{Finding, Source};

/// Libraries that only one folder may name, each with that folder.
const OWNED: [(&str, &str); 6] = [
    ("pingora", "proxy"),
    ("axum", "metrics-api"),
    ("utoipa", "metrics-api"),
    ("sqlx", "crates/ledger"),
    ("libsqlite3-sys", "crates/ledger"),
    ("rusqlite", "crates/ledger"),
];

/// Our own crates, each with those of ours that it may depend on.
const ARROWS: [(&str, &[&str]); 10] = [
    ("crates/record", &[]),
    ("crates/observer", &["record"]),
    ("crates/ledger", &["record"]),
    ("crates/simulator", &["record"]),
    ("crates/tidy", &[]),
    ("fuzz", &["observer", "record"]),
    ("proxy", &["ledger", "observer", "record"]),
    ("metrics-api", &["ledger", "observer", "record"]),
    (
        "crates/streamgauge",
        &[
            "ledger",
            "metrics-api",
            "observer",
            "proxy",
            "record",
            "simulator",
        ],
    ),
    (
        "benches",
        &[
            "ledger",
            "metrics-api",
            "observer",
            "proxy",
            "record",
            "simulator",
        ],
    ),
];

/// Names of our own crates.
const OURS: [&str; 8] = [
    "ledger",
    "metrics-api",
    "observer",
    "proxy",
    "record",
    "simulator",
    "streamgauge",
    "tidy",
];

/// Crates without effects: what they must not depend on, in any section.
const PURE: [(&str, &[&str]); 2] = [
    (
        "crates/record",
        &[
            "tokio",
            "pingora",
            "sqlx",
            "axum",
            "http",
            "prometheus",
            "tracing",
        ],
    ),
    (
        "crates/observer",
        &["tokio", "pingora", "sqlx", "axum", "prometheus", "tracing"],
    ),
];

/// `record` is only words: everything that compiles it pays for its dependencies.
const RECORD_MAY_USE: [&str; 1] = ["serde"];

/// The manifest of a crate names only what it may know.
pub(crate) fn arrows(source: &Source) -> Vec<Finding> {
    let Some(folder) = source.path.strip_suffix("/Cargo.toml") else {
        return Vec::new();
    };
    let allowed = ARROWS
        .iter()
        .find(|(name, _)| *name == folder)
        .map(|(_, allowed)| *allowed);
    let pure = PURE
        .iter()
        .find(|(name, _)| *name == folder)
        .map_or(&[][..], |(_, banned)| *banned);
    let mut findings = Vec::new();
    for (number, section, name) in dependencies(source) {
        let is_dev = section == "dev-dependencies";
        // A test may drive what its crate must not know, except where being pure is the point.
        if !is_dev && OURS.contains(&name) && !allowed.is_some_and(|allowed| allowed.contains(&name)) {
            let message = format!("{folder} must not depend on `{name}`; dependencies point one way");
            findings.push(source.finding(number, message));
        }
        if let Some((_, owner)) = OWNED
            .iter()
            .find(|(library, owner)| *library == name && *owner != folder)
        {
            findings.push(source.finding(
                number,
                format!("only {owner} may know `{name}`; ask it for what you need"),
            ));
        }
        if pure.contains(&name) {
            findings.push(source.finding(number, format!("{folder} is pure and must not know `{name}`")));
        }
        if folder == "crates/record" && !is_dev && !RECORD_MAY_USE.contains(&name) {
            findings.push(source.finding(number, format!("record depends on serde only, not on `{name}`")));
        }
    }
    findings
}

/// No path in the code names a library that belongs to another crate.
pub(crate) fn imports(source: &Source) -> Vec<Finding> {
    if source.extension() != "rs" || source.is_in("tidy") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        for (library, owner) in OWNED
            .iter()
            .filter(|(_, owner)| !source.path.starts_with(&format!("{owner}/")))
        {
            let name = library.replace('-', "_");
            if names(code, &name) {
                findings.push(source.finding(number, format!("only {owner} may name `{library}`")));
            }
        }
    }
    findings
}

/// Whether the code has a path that begins with the crate `name` or one of its family (`pingora_core`).
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let is_start = !before.is_some_and(|c| c.is_alphanumeric() || "_:\"`".contains(c));
        let rest = code[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        is_start && rest.starts_with("::")
    })
}

/// Every dependency of a manifest: its line, its section without a target, its name.
fn dependencies(source: &Source) -> Vec<(usize, &str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for (number, line) in source.lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            section = ["build-dependencies", "dev-dependencies", "dependencies"]
                .into_iter()
                .find(|section| header.ends_with(section))
                .unwrap_or("");
        } else if !section.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or("");
            if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)) {
                found.push((number, section, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(folder: &str, lines: &str) -> Vec<String> {
        let source = Source::new(format!("{folder}/Cargo.toml"), lines);
        arrows(&source)
            .iter()
            .map(|finding| finding.message.clone())
            .collect()
    }

    #[test]
    fn dependencies_point_one_way() {
        assert!(
            manifest(
                "proxy",
                "[dependencies]\nrecord.workspace = true\npingora.workspace = true\n"
            )
            .is_empty()
        );
        let found = manifest("crates/ledger", "[dependencies]\nproxy.workspace = true\n");
        assert!(found[0].contains("must not depend on `proxy`"), "{found:?}");
        assert!(
            manifest("proxy", "[dev-dependencies]\nsimulator.workspace = true\n").is_empty(),
            "tests may"
        );
        assert!(
            !manifest("crates/new", "[dependencies]\nproxy.workspace = true\n").is_empty(),
            "say it in ARROWS"
        );
    }

    #[test]
    fn big_libraries_have_one_owner() {
        let found = manifest(
            "crates/streamgauge",
            "[dependencies]\nsqlx = { version = \"1\" }\n",
        );
        assert!(found[0].contains("only crates/ledger"), "{found:?}");
        assert!(manifest("crates/ledger", "[dependencies]\nsqlx.workspace = true\n").is_empty());
    }

    #[test]
    fn pure_crates_stay_pure_in_their_tests_too() {
        let found = manifest("crates/observer", "[dev-dependencies]\ntokio.workspace = true\n");
        assert_eq!(found.len(), 1, "{found:?}");
        let found = manifest(
            "crates/record",
            "[dependencies]\nserde.workspace = true\nuuid.workspace = true\n",
        );
        assert!(found[0].contains("serde only"), "{found:?}");
    }

    #[test]
    fn a_path_into_a_foreign_library_is_found_in_code_only() {
        let text = concat!(
            "use pingora::prelude::*;\n// pingora::x in a comment\n",
            "let x = pingora_core::Y;\nlet s = \"pingora\";\n"
        );
        let found = imports(&Source::new("crates/streamgauge/src/a.rs", text));
        assert_eq!(
            found.iter().map(|finding| finding.line).collect::<Vec<_>>(),
            [1, 3]
        );
        assert!(
            imports(&Source::new("proxy/src/a.rs", text)).is_empty(),
            "its owner may"
        );
    }
}
