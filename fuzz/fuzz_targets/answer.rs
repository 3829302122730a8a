//! See `claims.rs`.
#![no_main]

#[path = "../claims.rs"]
#[allow(dead_code, reason = "each target makes one of the claims")]
mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::answer(bytes));
