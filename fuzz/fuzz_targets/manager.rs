#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| startxd_fuzz::manager::holds(input));
