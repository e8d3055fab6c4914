//! Tells cargo that the dashboard's files are part of this crate.
//!
//! The files are embedded by a derive, and cargo does not see what a derive reads: without these lines a
//! newly built dashboard would not get into the binary.

use std::fs;
use std::path::Path;

const DIST: &str = "../dashboard/dist";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // While the folder does not exist, cargo runs this script every time, and so notices when it comes.
    println!("cargo:rerun-if-changed={DIST}");
    watch(Path::new(DIST));
}

/// Names every file, because the time of a folder does not change when a file inside it does.
fn watch(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        println!("cargo:rerun-if-changed={}", path.display());
        if path.is_dir() {
            watch(&path);
        }
    }
}
