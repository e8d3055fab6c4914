//! Feeds [`fuzz::checks::form`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::form(input));
