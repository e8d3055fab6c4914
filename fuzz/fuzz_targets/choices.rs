//! Feeds [`fuzz::checks::choices`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::choices(input));
