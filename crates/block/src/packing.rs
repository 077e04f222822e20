//! Integers of one width, packed bit by bit.

/// Widths above this are stored as whole bytes: one unaligned read of eight bytes holds a value of up to
/// 57 bits wherever it begins in a byte.
const MOST_BITS: u32 = 57;

/// The width that holds `value`.
pub(crate) fn width_of(value: u64) -> u32 {
    let bits = u64::BITS - value.leading_zeros();
    if bits > MOST_BITS { u64::BITS } else { bits }
}

/// Bytes that so many values of a width take.
pub(crate) fn packed_bytes(count: usize, width: u32) -> Option<usize> {
    Some(count.checked_mul(width as usize)?.div_ceil(8))
}

/// Appends values that fit the width.
pub(crate) fn pack(out: &mut Vec<u8>, width: u32, values: impl Iterator<Item = u64>) {
    if width > MOST_BITS {
        values.for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        return;
    }
    let (mut pending, mut bits) = (0_u64, 0);
    for value in values {
        // At most 7 bits are pending here, so that 57 more fit.
        pending |= value << bits;
        bits += width;
        while bits >= 8 {
            out.push(pending.to_le_bytes()[0]);
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(pending.to_le_bytes()[0]);
    }
}

/// Calls `visit` with `count` values of a width; `None` where the bytes do not hold them.
pub(crate) fn unpack(
    packed: &[u8],
    width: u32,
    count: usize,
    mut visit: impl FnMut(u64),
) -> Option<()> {
    let packed = packed.get(..packed_bytes(count, width)?)?;
    if width == 0 {
        (0..count).for_each(|_| visit(0));
        return Some(());
    }
    if width > MOST_BITS {
        packed.chunks_exact(8).for_each(|bytes| visit(word(bytes)));
        return Some(());
    }
    let (mask, width) = ((1_u64 << width) - 1, width as usize);
    // As long as eight bytes can be read at once.
    let whole = (packed.len().saturating_sub(7) * 8).div_ceil(width).min(count);
    for place in 0..whole {
        let bit = place * width;
        visit(word(&packed[bit / 8..bit / 8 + 8]) >> (bit % 8) & mask);
    }
    let mut tail = [0; 16];
    let from = (whole * width / 8).min(packed.len());
    let rest = &packed[from..];
    tail.get_mut(..rest.len())?.copy_from_slice(rest);
    for place in whole..count {
        let bit = place * width - from * 8;
        visit(word(&tail[bit / 8..bit / 8 + 8]) >> (bit % 8) & mask);
    }
    Some(())
}

/// The little-endian word in eight bytes.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            values in prop::collection::vec(any::<u64>(), 0..70), width in 0u32..=64,
        ) {
            let width = if width > MOST_BITS { 64 } else { width };
            let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
            let values: Vec<u64> = values.iter().map(|value| value & mask).collect();
            let mut packed = Vec::new();
            pack(&mut packed, width, values.iter().copied());
            prop_assert_eq!(packed.len(), packed_bytes(values.len(), width).unwrap());
            let mut found = Vec::new();
            prop_assert!(unpack(&packed, width, values.len(), |value| found.push(value)).is_some());
            prop_assert_eq!(&found, &values);
            if !packed.is_empty() {
                let short = &packed[..packed.len() - 1];
                prop_assert!(unpack(short, width, values.len(), |_| ()).is_none());
            }
        }
    }

    #[test]
    fn a_width_holds_its_value() {
        assert_eq!([0, 1, 255, u64::MAX >> 7, u64::MAX >> 6].map(width_of), [0, 1, 8, 57, 64]);
    }
}
