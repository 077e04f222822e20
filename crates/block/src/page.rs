//! The values of one series in one column.
//!
//! ```text
//! values  := CONSTANT value
//!          | GROWING  value grain base deltas     deltas are at least `base`, which is not negative
//!          | SIGNED   value grain deltas          deltas in zigzag
//! deltas  := width exceptions [gap width, high width, gaps, highs] lows
//! ```
//!
//! A delta is the difference to the value before, divided by the grain (memory moves by pages, kernels count
//! CPU time in microseconds or hundredths of a second). What does not fit the width is an exception: its low
//! bits stand with the others, its high bits apart, with the gap to the exception before. The width is the
//! one that costs least, so that a series that rests for most of the time is nothing but exceptions.

use crate::{
    bytes::{Input, put_count, put_varint, unzigzag, zigzag},
    packing::{pack, packed_bytes, unpack, width_of},
};

const CONSTANT: u8 = 0;
const GROWING: u8 = 1;
const SIGNED: u8 = 2;

/// Memory that encoding uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    codes: Vec<u64>,
    exceptions: Vec<(u64, u64)>,
}

/// Appends values, of which there is at least one.
pub(crate) fn encode(values: &[u64], scratch: &mut Scratch, out: &mut Vec<u8>) {
    let Some((&first, rest)) = values.split_first() else { return };
    if rest.iter().all(|value| *value == first) {
        out.push(CONSTANT);
        put_varint(out, first);
        return;
    }
    let deltas = || values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]).cast_signed());
    let grain = grain_of(deltas());
    let lowest = deltas().min().unwrap_or_default();
    scratch.codes.clear();
    if let Ok(lowest) = u64::try_from(lowest) {
        let base = lowest / grain;
        scratch.codes.extend(deltas().map(|delta| delta.cast_unsigned() / grain - base));
        out.push(GROWING);
        put_varint(out, first);
        put_varint(out, grain);
        put_varint(out, base);
    } else {
        let divide = |delta: i64| match i64::try_from(grain) {
            Ok(grain) if grain > 1 => delta / grain,
            _ => delta,
        };
        scratch.codes.extend(deltas().map(|delta| zigzag(divide(delta))));
        out.push(SIGNED);
        put_varint(out, first);
        put_varint(out, grain);
    }
    put_codes(scratch, out);
}

/// What all differences are multiples of: at least 1.
fn grain_of(deltas: impl Iterator<Item = i64>) -> u64 {
    let mut grain = 0_u64;
    for delta in deltas.filter(|delta| *delta != 0) {
        // The one number whose opposite does not fit.
        if delta == i64::MIN {
            return 1;
        }
        let (mut a, mut b) = (grain, delta.unsigned_abs());
        if a != 0 && b.is_multiple_of(a) {
            continue;
        }
        while b != 0 {
            (a, b) = (b, a % b);
        }
        if a == 1 {
            return 1;
        }
        grain = a;
    }
    grain.max(1)
}

fn put_codes(scratch: &mut Scratch, out: &mut Vec<u8>) {
    let Scratch { codes, exceptions } = scratch;
    let width = best_width(codes);
    let mask = if width == u64::BITS { u64::MAX } else { (1 << width) - 1 };
    exceptions.clear();
    let mut next = 0;
    for (place, code) in codes.iter().enumerate().filter(|(_, code)| **code & !mask != 0) {
        exceptions.push(((place - next) as u64, code.checked_shr(width).unwrap_or(0)));
        next = place + 1;
    }
    // At most 64.
    out.push(width.to_le_bytes()[0]);
    put_count(out, exceptions.len());
    if !exceptions.is_empty() {
        let widest =
            |part: fn(&(u64, u64)) -> u64| exceptions.iter().map(part).max().map_or(0, width_of);
        let (gap_width, high_width) = (widest(|e| e.0), widest(|e| e.1));
        out.push(gap_width.to_le_bytes()[0]);
        out.push(high_width.to_le_bytes()[0]);
        pack(out, gap_width, exceptions.iter().map(|e| e.0));
        pack(out, high_width, exceptions.iter().map(|e| e.1));
    }
    pack(out, width, codes.iter().map(|code| code & mask));
}

/// The width at which the codes and those that do not fit it take the fewest bits.
fn best_width(codes: &[u64]) -> u32 {
    let mut of_width = [0_usize; 65];
    for &code in codes {
        of_width[width_of(code) as usize] += 1;
    }
    let widest = of_width.iter().rposition(|count| *count > 0).unwrap_or(0);
    let (mut best, mut least) = (widest, codes.len() * widest);
    let mut wider = 0;
    for width in (0..widest).rev() {
        wider += of_width[width + 1];
        let gap_bits = width_of((codes.len() / wider.max(1)) as u64 * 2) as usize;
        let bits = codes.len() * width + wider * (gap_bits + widest - width) + 16;
        if bits < least {
            (best, least) = (width, bits);
        }
    }
    u32::try_from(best).unwrap_or(u64::BITS)
}

/// Appends `count` values to `values`; `None` where the bytes do not hold them, and then an unknown
/// number of them was appended.
pub(crate) fn decode(input: &mut Input<'_>, count: usize, values: &mut Vec<u64>) -> Option<()> {
    let form = input.byte()?;
    let first = input.varint()?;
    let start = values.len();
    match form {
        CONSTANT => values.resize(start + count, first),
        GROWING => {
            let (grain, base) = (input.varint()?, input.varint()?);
            values.push(first);
            codes(input, count.checked_sub(1)?, values)?;
            let mut value = first;
            for code in &mut values[start + 1..] {
                value = value.wrapping_add(code.wrapping_add(base).wrapping_mul(grain));
                *code = value;
            }
        }
        SIGNED => {
            let grain = input.varint()?;
            values.push(first);
            codes(input, count.checked_sub(1)?, values)?;
            let mut value = first;
            for code in &mut values[start + 1..] {
                let delta = unzigzag(*code).cast_unsigned().wrapping_mul(grain);
                value = value.wrapping_add(delta);
                *code = value;
            }
        }
        _ => return None,
    }
    Some(())
}

/// Appends what [`put_codes`] wrote.
fn codes(input: &mut Input<'_>, count: usize, out: &mut Vec<u64>) -> Option<()> {
    let width = u32::from(input.byte()?);
    let exceptions = usize::try_from(input.varint()?).ok().filter(|number| *number <= count)?;
    let (mut gaps, mut highs): (&[u8], &[u8]) = (&[], &[]);
    let (mut gap_width, mut high_width) = (0, 0);
    if exceptions > 0 {
        (gap_width, high_width) = (u32::from(input.byte()?), u32::from(input.byte()?));
        gaps = input.take(packed_bytes(exceptions, gap_width)?)?;
        highs = input.take(packed_bytes(exceptions, high_width)?)?;
    }
    if width.max(gap_width).max(high_width) > u64::BITS {
        return None;
    }
    let lows = input.take(packed_bytes(count, width)?)?;
    let start = out.len();
    out.reserve(count);
    unpack(lows, width, count, |code| out.push(code))?;
    let mut places = Vec::with_capacity(exceptions);
    unpack(gaps, gap_width, exceptions, |gap| places.push(gap))?;
    let (mut next, mut places) = (0_u64, places.into_iter());
    let mut fits = true;
    unpack(highs, high_width, exceptions, |high| {
        let place = next.saturating_add(places.next().unwrap_or(0));
        next = place.saturating_add(1);
        let code = usize::try_from(place).ok().and_then(|place| out.get_mut(start + place));
        match code {
            Some(code) => *code |= high.checked_shl(width).unwrap_or(0),
            None => fits = false,
        }
    })?;
    fits.then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(values: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, &mut Scratch::default(), &mut out);
        out
    }

    fn decoded(bytes: &[u8], count: usize) -> Option<Vec<u64>> {
        let (mut input, mut values) = (Input::new(bytes), Vec::new());
        decode(&mut input, count, &mut values)?;
        input.is_empty().then_some(values)
    }

    proptest! {
        #[test]
        fn any_values_are_read_back(
            values in prop::collection::vec(
                prop_oneof![4 => Just(7_u64), 4 => 0..5000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)], 1..200),
        ) {
            prop_assert_eq!(decoded(&encoded(&values), values.len()), Some(values));
        }

        #[test]
        fn counters_are_read_back(
            first in any::<u64>(), grain in prop_oneof![Just(1), Just(1000), Just(4096), any::<u64>()],
            steps in prop::collection::vec(prop_oneof![3 => Just(0_u64), 2 => 0..3000_u64, 1 => any::<u64>()], 1..200),
        ) {
            let mut value = first;
            let mut values = vec![first];
            for step in steps {
                value = value.wrapping_add(step.wrapping_mul(grain));
                values.push(value);
            }
            prop_assert_eq!(decoded(&encoded(&values), values.len()), Some(values));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 1..100_usize) {
            let _ = decoded(&bytes, count);
        }
    }

    #[test]
    fn what_rests_takes_a_few_bytes_whatever_its_length() {
        assert_eq!(encoded(&vec![300; 10_000]).len(), 3);
        let mut once = vec![300; 720];
        once[500..].fill(4396);
        assert!(encoded(&once).len() <= 13, "{}", encoded(&once).len());
    }

    #[test]
    fn steady_counters_take_nothing_a_value() {
        let values: Vec<u64> = (0..720).map(|i| 1_000_000_000_000 + i * 500_000_000).collect();
        assert!(encoded(&values).len() <= 16, "{}", encoded(&values).len());
    }

    #[test]
    fn microseconds_and_pages_are_divided() {
        let values: Vec<u64> = (0..721).map(|i| 1_000_000 * i + i % 3 * 1000).collect();
        assert!(encoded(&values).len() <= 720 * 11 / 8 + 16, "{}", encoded(&values).len());
    }
}
