//! Any query string gets an answer, and what is understood can be looked for.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| kubemonitor_api::fuzzing::query(text));
