//! Any bytes get an answer, and what is taken for a frame means the same when written anew.

#![no_main]

use kubemonitor_frame::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tick) = decode(bytes) {
        let mut frame = Vec::new();
        encode(&tick, &mut frame);
        assert_eq!(decode(&frame), Ok(tick));
    }
});
