//! Integers of few bytes where they are small.

/// Columns in the first byte of a header.
const HEADER_COLUMNS: u32 = 5;

/// Bytes still to be read.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl Input<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The columns of a header, which can take 66 bits with its form: the first byte has five of
    /// them, a varint the rest.
    pub(super) fn columns(&mut self, first: u8) -> Option<u64> {
        let low = u64::from(first >> 2 & 0x1f);
        let high = if first < 0x80 { 0 } else { self.varint()? };
        Some(low | high << HEADER_COLUMNS)
    }
}

pub(super) fn put_header(out: &mut Vec<u8>, columns: u64, form: u8) {
    #[expect(clippy::cast_possible_truncation, reason = "masked to five bits")]
    let first = ((columns & 0x1f) << 2) as u8 | form;
    let high = columns >> HEADER_COLUMNS;
    if high == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        put_varint(out, high);
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    out.push(value as u8);
}

pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

pub(super) fn unzigzag(code: u64) -> i64 {
    (code >> 1).cast_signed() ^ -(code & 1).cast_signed()
}
