//! The house rules as a test: what rustfmt, clippy and ESLint cannot check.
//!
//! Each rule is a function from one file to its findings, tried on a small sample beside it.
//! `tests/house_rules.rs` runs all rules over every file that git tracks or would track. A finding names the
//! file, the line, the rule and the way out. An exemption stands in this crate with its reason, never in the
//! file that needs it.

mod crates;
mod rust;
mod size;
mod source;
mod text;

pub use source::{Finding, Source, list, root};

/// A rule: one file in, its findings out.
pub type Rule = fn(&Source) -> Vec<Finding>;

/// Every rule.
pub const RULES: &[Rule] = &[
    crates::arrows,
    crates::imports,
    rust::docs,
    rust::faces,
    rust::functions,
    rust::ignored_tests,
    rust::mod_files,
    size::columns,
    size::length,
    text::leftovers,
    text::machine_paths,
];
