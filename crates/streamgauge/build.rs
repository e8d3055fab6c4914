//! Puts the git revision into the binary. A build without git, or outside a checkout, has none and says so.

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
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
