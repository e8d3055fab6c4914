//! Feeds [`fuzz::checks::body`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::body(input));
