//! The command line as a user meets it: what is printed, what is refused, with which exit code.

use std::net::TcpListener;
use std::process::{Command, Output};

/// The binary with a bare environment: nothing of the machine that runs the tests takes part.
fn streamgauge(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    command.args(arguments).env_clear();
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The lines of stderr, which for a refusal are complaints and nothing else.
fn complaints(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Runs a command that must be refused with `code` and one line that holds every word.
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let output = streamgauge(arguments).output().expect("the binary starts");
    let lines = complaints(&output);
    assert_eq!(
        output.status.code(),
        Some(code),
        "exit code of {arguments:?}: {lines:#?}"
    );
    assert_eq!(lines.len(), 1, "one clear line for {arguments:?}: {lines:#?}");
    assert!(lines[0].starts_with("error: "), "{lines:?}");
    for word in words {
        assert!(
            lines[0].contains(word),
            "`{word}` is missing for {arguments:?}: {lines:?}"
        );
    }
}

/// A configuration file with this text.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder for a file");
    let path = folder.path().join("a.yaml");
    std::fs::write(&path, text).expect("the file is written");
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn the_version_is_told_with_its_revision_when_there_is_one() {
    let output = streamgauge(&["--version"]).output().expect("the binary starts");
    let text = stdout(&output);
    assert!(
        text.starts_with(concat!("streamgauge ", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
    assert!(output.status.success());
}

#[test]
fn the_help_names_every_command_and_shows_examples() {
    let text = stdout(&streamgauge(&["--help"]).output().expect("the binary starts"));
    for word in [
        "up ",
        "proxy ",
        "metrics-api ",
        "check ",
        "simulate ",
        "Examples:",
        "--upstream",
        "SIGHUP",
    ] {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
    for hidden in ["--resolved", "--parent", "--inherited"] {
        assert!(!text.contains(hidden), "`{hidden}` is between our own processes");
    }
}

#[test]
fn wrong_settings_are_one_line_and_exit_code_2() {
    refused(
        &["check", "--upstream", "10.0.0.1:8000"],
        2,
        &["--upstream", "write http://10.0.0.1:8000"],
    );
    refused(
        &["check", "--upstream", "http://h:1/v1"],
        2,
        &["pools[0].replicas[0]", "has the path"],
    );
    refused(
        &["check", "--listen", "8001"],
        2,
        &["--listen", "proxy.listen", "0.0.0.0:8001"],
    );
    refused(
        &["check", "--ledger", "mysql://h/d"],
        2,
        &["--ledger", "sqlite://"],
    );
    refused(
        &["check", "--config", "there/is/none.yaml"],
        2,
        &["--config", "there/is/none.yaml"],
    );
}

#[test]
fn wrong_files_are_told_by_line_and_key() {
    for (text, words) in [
        (
            "proxy:\n  max_bdy: 1MiB\n",
            &[".yaml:2: proxy.max_bdy", "did you mean `max_body`?"][..],
        ),
        ("proxy: {grace: 5}\n", &[".yaml:1: proxy.grace", "250ms"]),
        (
            "metrics_api: {token: '${NOBODY_SETS_THIS}'}\n",
            &["metrics_api.token", "`NOBODY_SETS_THIS`"],
        ),
        ("proxy: [\n", &[".yaml:", "not valid YAML"]),
    ] {
        let (_folder, path) = file(text);
        for command in ["check", "up", "proxy", "metrics-api"] {
            refused(&[command, "--config", &path], 2, words);
        }
    }
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    let mut command = streamgauge(&["check"]);
    let output = command
        .env("STREAMGAUGE_PROXY__GRACE", "soon")
        .output()
        .expect("the binary starts");
    let lines = complaints(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        lines[0].contains("STREAMGAUGE_PROXY__GRACE: proxy.grace"),
        "{lines:?}"
    );
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken
        .local_addr()
        .map(|address| (taken, address.to_string()))
        .expect("its address");
    let folder = tempfile::tempdir().expect("a folder for the ledger");
    let ledger = format!("sqlite://{}/a.db", folder.path().display());
    let free = "127.0.0.1:0";
    for (command, flag, key) in [
        ("up", "--listen", "proxy.listen"),
        ("up", "--ops-listen", "proxy.ops_listen"),
        ("up", "--api-listen", "metrics_api.listen"),
        ("proxy", "--listen", "proxy.listen"),
        ("metrics-api", "--api-listen", "metrics_api.listen"),
    ] {
        let mut arguments = vec![command, "--ledger", &ledger, flag, &taken.1];
        for other in ["--listen", "--ops-listen", "--api-listen"] {
            if other != flag {
                arguments.extend([other, free]);
            }
        }
        refused(&arguments, 1, &[key, flag, &taken.1, "in use"]);
    }
}

#[test]
fn a_ledger_that_cannot_be_written_is_one_line_and_exit_code_1() {
    let (_folder, path) = file("not a folder");
    let ledger = format!("sqlite://{path}/a.db");
    for command in ["up", "proxy", "metrics-api"] {
        let arguments = [
            command,
            "--ledger",
            &ledger,
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--api-listen",
            "127.0.0.1:0",
        ];
        refused(&arguments, 1, &["ledger.url", &path, "--ledger"]);
    }
}

#[test]
fn check_prints_everything_and_no_secret() {
    let mut command = streamgauge(&["check", "--upstream", "http://a:1", "--upstream", "http://b:2"]);
    let output = command
        .env("STREAMGAUGE_METRICS_API__TOKEN", "hunter2")
        .output()
        .expect("the binary starts");
    let text = stdout(&output);
    assert!(output.status.success(), "{:?}", complaints(&output));
    for word in [
        "http://a:1",
        "http://b:2",
        "token: \"********\"",
        "grace: 5m",
        "threads: ",
    ] {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_new_ledger_is_filled_with_a_past_and_an_old_one_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/year.db", folder.path().display());
    let arguments = [
        "simulate",
        "--log-level",
        "error",
        "--fill",
        &url,
        "--fill-requests",
        "2000",
        "--fill-days",
        "20",
        "--fill-models",
        "3",
        "--fill-users",
        "50",
    ];
    let output = streamgauge(&arguments).output().expect("the binary starts");
    let text = stdout(&output);
    assert!(output.status.success(), "{:#?}", complaints(&output));
    assert!(text.starts_with("2000 requests over 20 days in "), "{text}");
    refused(&arguments, 1, &["holds requests already", "name a new file"]);
    let reader = ledger::Reader::open(&url).expect("a ledger");
    let window = ledger::Query::window(record::UnixMillis(0), record::UnixMillis(i64::MAX));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let summary = runtime.block_on(reader.summary(&window)).expect("an answer");
    assert_eq!(summary.requests, 2_000);
    assert_eq!(summary.e2e.count, 2_000, "with every distribution");
}
