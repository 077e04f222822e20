//! A journal of any bytes is gone through to its end, and so is any entry whose checksums hold.

#![no_main]

use kubemonitor_store::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::journal(bytes);
    fuzzing::entry(bytes);
});
