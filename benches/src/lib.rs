//! Micro-benchmarks live in `benches/benches`, one file for each crate they measure; results in `RESULTS.md`.
