//! Feeds [`fuzz::checks::framing`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::framing(input));
