//! How a record lies in a file, and how it is told from what merely looks like one.

use super::MAX_RECORD;

/// What every record begins with. Other versions of the log begin with something else.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'k', b'm', 2];

/// Bytes of a record before its payload.
pub(in crate::disk) const HEADER: usize = 16;

/// The bytes before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the payload; never 0.
    pub(super) length: u32,
    /// CRC-32 of the payload.
    checksum: u32,
}

impl Header {
    /// The header of a payload; `None` where no record can be of that length.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let length = u32::try_from(payload.len()).ok().filter(|&length| is_possible(length))?;
        Some(Self { length, checksum: crc32fast::hash(payload) })
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.checksum.to_le_bytes());
        let own = crc32fast::hash(&bytes[..12]);
        bytes[12..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// The header that `bytes` begin with; `None` where there is none, or a damaged one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        let (checked, own) = header.split_first_chunk::<12>()?;
        let word =
            |from: usize| checked[from..].first_chunk().map(|word| u32::from_le_bytes(*word));
        if checked[..4] != MAGIC || own != crc32fast::hash(checked).to_le_bytes() {
            return None;
        }
        let length = word(4).filter(|&length| is_possible(length))?;
        Some(Self { length, checksum: word(8)? })
    }

    /// Bytes of the whole record.
    pub(super) fn record_length(self) -> usize {
        HEADER + self.length as usize
    }

    pub(super) fn matches(self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32fast::hash(payload) == self.checksum
    }
}

/// An empty record says nothing and is never written, so a run of zeros cannot be one.
fn is_possible(length: u32) -> bool {
    (1..=MAX_RECORD).contains(&length)
}

/// The payload of a record; `None` where it is damaged.
pub(super) fn payload(record: &[u8]) -> Option<&[u8]> {
    let header = Header::parse(record)?;
    let payload = record.get(HEADER..)?;
    header.matches(payload).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_empty_payloads_are_no_records() {
        assert_eq!(Header::of(b""), None);
        for length in 0..64 {
            assert_eq!(Header::parse(&vec![0; length]), None);
        }
        let mut empty = [0; HEADER];
        empty[..4].copy_from_slice(&MAGIC);
        let own = crc32fast::hash(&empty[..12]);
        empty[12..].copy_from_slice(&own.to_le_bytes());
        assert_eq!(Header::parse(&empty), None, "whatever its checksums say");
    }

    #[test]
    fn one_flipped_bit_anywhere_in_a_header_is_noticed() {
        let header = Header::of(b"payload").unwrap();
        let bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes), Some(header));
        for bit in 0..HEADER * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&flipped), None, "bit {bit}");
        }
    }
}
