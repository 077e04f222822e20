//! `/proc/pressure/*` and the `*.pressure` files of cgroups: time lost to waiting (PSI).

use crate::text::{lines, number, words};

/// A pressure file: nanoseconds, in steps of 1 µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Time in which some task waited.
    pub some_ns: Option<u64>,
    /// Time in which all tasks waited. Absent for the CPU before Linux 5.13.
    pub full_ns: Option<u64>,
}

/// Reads a pressure file.
pub fn parse(text: &[u8]) -> Pressure {
    let mut pressure = Pressure::default();
    for line in lines(text) {
        let mut words = words(line);
        let slot = match words.next() {
            Some(b"some") => &mut pressure.some_ns,
            Some(b"full") => &mut pressure.full_ns,
            _ => continue,
        };
        *slot = words
            .find_map(|word| word.strip_prefix(b"total="))
            .and_then(number)
            .and_then(|micros| micros.checked_mul(1000));
    }
    pressure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_nanoseconds() {
        let text = b"some avg10=1.26 avg60=0.23 avg300=0.16 total=16095366\n\
            full avg10=0.36 avg60=0.06 avg300=0.03 total=9942823\n";
        let expected = Pressure { some_ns: Some(16_095_366_000), full_ns: Some(9_942_823_000) };
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn a_kernel_without_the_full_line_has_none() {
        let pressure = parse(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
        assert_eq!((pressure.some_ns, pressure.full_ns), (Some(5000), None));
    }
}
