//! A place in bytes that nobody vouches for.

use crate::{FrameError, Problem};

/// Reads forward and never beyond the end.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    /// All of the frame up to where this cursor must stop, so that offsets count from its start.
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// A cursor over the next `len` bytes, which this one passes over.
    pub(crate) fn split(&mut self, len: usize) -> Result<Self, FrameError> {
        let start = self.offset;
        self.take(len)?;
        Ok(Self { bytes: &self.bytes[..self.offset], offset: start })
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let taken =
            self.bytes[self.offset..].get(..len).ok_or_else(|| self.error(Problem::Truncated))?;
        self.offset += len;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let &array = self.bytes[self.offset..]
            .first_chunk()
            .ok_or_else(|| self.error(Problem::Truncated))?;
        self.offset += N;
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, FrameError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A LEB128 number of at most 64 bits in its shortest form.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, FrameError> {
        let start = self.offset;
        let mut value = 0;
        for (i, &byte) in self.bytes[start..].iter().take(10).enumerate() {
            // The tenth byte holds bit 63 and nothing else.
            if i == 9 && byte > 1 {
                return Err(Problem::NumberTooLarge.at(start));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                if byte == 0 && i > 0 {
                    return Err(Problem::OverlongNumber.at(start));
                }
                self.offset = start + i + 1;
                return Ok(value);
            }
        }
        Err(Problem::Truncated.at(start))
    }

    /// A number with a sign: its lowest bit says whether the rest is turned over.
    pub(crate) fn signed(&mut self) -> Result<i64, FrameError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A text of a length that `Problem::TextLength` allows.
    pub(crate) fn text(&mut self) -> Result<&'a str, FrameError> {
        let start = self.offset;
        let len = self.number()?;
        let len = usize::try_from(len)
            .ok()
            .filter(|len| (1..=crate::MAX_TEXT_BYTES).contains(len))
            .ok_or(Problem::TextLength(len).at(start))?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| Problem::NotUtf8.at(start))
    }

    /// The problem, found where this cursor stands.
    pub(crate) fn error(&self, problem: Problem) -> FrameError {
        problem.at(self.offset)
    }
}

impl Problem {
    pub(crate) fn at(self, offset: usize) -> FrameError {
        FrameError { offset, problem: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form_and_64_bits() {
        let cases: [(&[u8], Result<u64, Problem>); 9] = [
            (&[0x00], Ok(0)),
            (&[0x7f], Ok(127)),
            (&[0x80, 0x01], Ok(128)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(u64::MAX)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                Err(Problem::NumberTooLarge),
            ),
            (&[0x80; 11], Err(Problem::NumberTooLarge)),
            (&[0x80, 0x00], Err(Problem::OverlongNumber)),
            (&[0x80], Err(Problem::Truncated)),
            (&[], Err(Problem::Truncated)),
        ];
        for (bytes, number) in cases {
            assert_eq!(Cursor::new(bytes).number().map_err(|e| e.problem), number, "{bytes:x?}");
        }
    }

    #[test]
    fn a_part_ends_where_it_should_and_counts_from_the_start() {
        let mut whole = Cursor::new(&[1, 2, 3, 4]);
        whole.byte().expect("four bytes");
        let mut part = whole.split(2).expect("three bytes left");
        assert_eq!(part.array(), Ok([2, 3]));
        assert_eq!(part.byte(), Err(Problem::Truncated.at(3)));
        assert_eq!(whole.byte(), Ok(4));
    }
}
