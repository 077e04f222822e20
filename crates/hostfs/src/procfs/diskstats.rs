//! `/proc/diskstats`: the block devices of the node.

use crate::text::{first_word, lines, number, words};

/// The kernel counts sectors of 512 bytes whatever the device's own are.
const SECTOR: u64 = 512;
const NS_PER_MS: u64 = 1_000_000;

/// What one disk, or several together, did since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Read operations.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Write operations.
    pub writes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Time in which there was work, in nanoseconds.
    pub io_time_ns: u64,
}

impl From<[u64; 5]> for DiskCounters {
    fn from([reads, read_bytes, writes, write_bytes, io_time_ns]: [u64; 5]) -> Self {
        Self { reads, read_bytes, writes, write_bytes, io_time_ns }
    }
}

/// The number of a block device, by which cgroup files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// Of the driver.
    pub major: u32,
    /// Of the device.
    pub minor: u32,
}

impl DeviceNumber {
    /// From the two numbers as text.
    pub(crate) fn parse(major: &[u8], minor: &[u8]) -> Option<Self> {
        let part = |digits| number(digits).and_then(|number| u32::try_from(number).ok());
        Some(Self { major: part(major)?, minor: part(minor)? })
    }
}

/// One line of `/proc/diskstats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// Its number.
    pub number: DeviceNumber,
    /// Its name.
    pub name: &'a [u8],
    columns: &'a [u8],
}

impl Device<'_> {
    /// Reads, bytes read, writes, bytes written, nanoseconds with work; `None` when the line does not
    /// have them all. Columns: reads, merged, sectors, ms, writes, merged, sectors, ms, in flight, ms
    /// with work.
    pub fn counters(&self) -> Option<[u64; 5]> {
        let mut columns = words(self.columns).map(number);
        let mut next = || columns.next().flatten();
        let (reads, _, read_sectors, _) = (next()?, next()?, next()?, next()?);
        let (writes, _, write_sectors, _) = (next()?, next()?, next()?, next()?);
        let (_, io_time_ms) = (next()?, next()?);
        Some([
            reads,
            read_sectors.checked_mul(SECTOR)?,
            writes,
            write_sectors.checked_mul(SECTOR)?,
            io_time_ms.checked_mul(NS_PER_MS)?,
        ])
    }
}

/// The devices in the file's order.
pub fn devices(text: &[u8]) -> impl Iterator<Item = Device<'_>> {
    lines(text).filter_map(|line| {
        let (major, rest) = first_word(line)?;
        let (minor, rest) = first_word(rest)?;
        let (name, columns) = first_word(rest)?;
        Some(Device { number: DeviceNumber::parse(major, minor)?, name, columns })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_its_counters() {
        let text = b" 254       0 vda 193647 37798 16137858 149381 129869 138911 26187080 87309 0 37284 242401\n";
        let expected = DiskCounters {
            reads: 193_647,
            read_bytes: 16_137_858 * 512,
            writes: 129_869,
            write_bytes: 26_187_080 * 512,
            io_time_ns: 37_284_000_000,
        };
        let vda = devices(text).next().unwrap();
        assert_eq!(
            (vda.name, vda.counters().map(DiskCounters::from)),
            (&b"vda"[..], Some(expected))
        );
        assert_eq!(vda.number, DeviceNumber { major: 254, minor: 0 });
    }

    #[test]
    fn a_line_that_is_cut_short_has_no_counters() {
        let text = b"8 0 sda 1 2 3\n8 1\nsda 8 0 1\n99999999999 0 sdb 1\n";
        let found: Vec<_> = devices(text).map(|device| (device.name, device.counters())).collect();
        assert_eq!(found, [(&b"sda"[..], None)]);
    }
}
