//! The files in `conf/`: each is right, and `conf/full.yaml` tells every key with its true default.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf")
}

/// What `streamgauge check` prints for a file, or for no file at all.
fn checked(path: Option<&Path>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    command.arg("check").env_clear();
    if let Some(path) = path {
        command.arg("--config").arg(path);
    }
    let output = command.output().expect("the binary starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{path:?} is refused: {complaint}");
    String::from_utf8(output.stdout).expect("YAML is text")
}

/// The keys of a YAML text with their indentation, in order.
fn keys(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| {
            line.split_once(':')
                .filter(|(_, value)| value.is_empty() || value.starts_with(' '))
        })
        .map(|(key, _)| key.replace("- ", "  "))
        .filter(|key| key.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect()
}

#[test]
fn every_file_is_right() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            checked(Some(&path));
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} files were found");
}

#[test]
fn the_full_file_holds_the_defaults() {
    let full = checked(Some(&folder().join("full.yaml")));
    similar(&full, &checked(None));
}

#[test]
fn the_full_file_holds_every_key() {
    let written = std::fs::read_to_string(folder().join("full.yaml")).expect("the file is there");
    let (mut written, mut known) = (keys(&written), keys(&checked(None)));
    written.sort();
    known.sort();
    assert_eq!(written, known, "left: conf/full.yaml, right: what `check` prints");
}

#[test]
fn the_demo_stands_in_front_of_four_replicas_on_loopback() {
    let demo = checked(Some(&folder().join("demo.yaml")));
    assert_eq!(demo.matches("http://127.0.0.1:900").count(), 4, "{demo}");
    assert!(
        !demo.contains("0.0.0.0"),
        "a demo is not for the network:\n{demo}"
    );
}

/// Equal line by line, with the first difference told.
fn similar(left: &str, right: &str) {
    for (nth, (left, right)) in left.lines().zip(right.lines()).enumerate() {
        assert_eq!(left, right, "line {}", nth + 1);
    }
    assert_eq!(left.lines().count(), right.lines().count());
}
