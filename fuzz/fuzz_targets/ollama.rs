//! Feeds [`fuzz::checks::ollama`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::checks::ollama(input));
