//! Feeds [`fuzz::checks::responses`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::responses(input));
