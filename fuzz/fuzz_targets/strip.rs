//! Feeds [`fuzz::checks::strip`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::strip(input));
