//! Any bytes get an answer, and what is taken for a block tells nothing that it does not hold.
//!
//! Checksums keep a fuzzer out of what they guard: a block that is nothing but a footer, with a trailer that
//! fits it, lets it in, and each of its columns is read from the bytes that are there.

#![no_main]

use kubemonitor_block::{Footer, Trailer, Values};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Footer::of_block(bytes);
    let Ok(trailer) = Trailer::of(bytes) else { return };
    let Ok(footer) = Footer::decode(bytes, trailer) else { return };
    assert!(footer.ticks.is_sorted());
    let mut values = Values::default();
    for series in &footer.series {
        assert!(series.rows.iter().all(|tick| tick < footer.ticks.len()));
        if values.read(&series.attributes, series.rows.len()).is_ok() {
            assert_eq!(values.values().len(), values.present().len());
            values.segments(series, &footer.ticks, |times, values| assert_eq!(times.len(), values.len()));
        }
    }
});
