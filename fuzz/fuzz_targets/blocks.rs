//! A block of any bytes is refused or read to its last row.

#![no_main]

use kubemonitor_store::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::block(bytes));
