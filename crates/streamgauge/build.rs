//! Puts the git revision and the compiler's version into the binary. A build without git, or outside a
//! checkout, has no revision and says so.

use std::process::Command;

fn main() {
    // The log of HEAD changes with each commit and each checkout; without it the crate would rebuild every
    // time.
    for path in ["../../.git/logs/HEAD", "build.rs"] {
        if std::path::Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let revision = git(&["rev-parse", "--short=12", "HEAD"]);
    let package = env!("CARGO_PKG_VERSION");
    let version = revision.as_ref().map_or_else(
        || package.to_owned(),
        |revision| format!("{package} ({revision})"),
    );
    println!("cargo::rustc-env=STREAMGAUGE_VERSION={version}");
    println!(
        "cargo::rustc-env=STREAMGAUGE_REVISION={}",
        revision.unwrap_or_default()
    );
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    let compiler = said(&compiler, &["--version"]).unwrap_or_default();
    let compiler = compiler.split(' ').nth(1).unwrap_or_default();
    println!("cargo::rustc-env=STREAMGAUGE_RUSTC={compiler}");
}

fn git(arguments: &[&str]) -> Option<String> {
    said("git", arguments)
}

/// What a tool prints; `None` when it is not there, fails, or prints nothing.
fn said(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
