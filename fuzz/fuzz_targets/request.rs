//! Feeds [`fuzz::checks::request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::request(input));
