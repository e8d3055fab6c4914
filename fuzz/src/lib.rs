//! What every input must hold. The fuzz targets call these checks with what libFuzzer makes up;
//! `crates/observer/tests/corpus.rs` calls them with the corpus.

pub mod checks;
