//! What the end of a file of any bytes tells of its blocks lies in that file.

#![no_main]

use kubemonitor_store::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::footer(bytes));
