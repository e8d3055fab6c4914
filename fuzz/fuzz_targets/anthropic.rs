//! Feeds [`fuzz::checks::anthropic`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::anthropic(input));
