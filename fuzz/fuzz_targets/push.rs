//! Any body that is pushed gets an answer, and what is understood can be stored.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| kubemonitor_api::fuzzing::push(body));
