//! What a cgroup read and wrote, summed over the disks that count.

use crate::{
    device_totals::DeviceTotals, disks::Disks, procfs::diskstats::DeviceNumber, text::is_cut,
};

/// The counters of one device in a file of a cgroup; one that the file does not show is `None`.
pub type DeviceIo<const N: usize> = [Option<u64>; N];

/// Takes each device of such a file with its counters, or `None` where one of them is no number.
pub type EachDevice<'a, const N: usize> = dyn FnMut(DeviceNumber, Option<DeviceIo<N>>) + 'a;

/// What one file of a cgroup counts, over the disks.
#[derive(Debug)]
pub(super) struct IoTotals<const N: usize> {
    devices: DeviceTotals<DeviceNumber, N>,
}

impl<const N: usize> Default for IoTotals<N> {
    fn default() -> Self {
        Self { devices: DeviceTotals::default() }
    }
}

impl<const N: usize> IoTotals<N> {
    /// The totals with what the file says now. `None` when a part of it cannot be read, such as
    /// what follows where it was cut: a sum without that part would be too low.
    ///
    /// `parse` returns `None` when the text is no such file.
    pub(super) fn read(
        &mut self,
        text: &[u8],
        disks: &Disks,
        parse: fn(&[u8], &mut EachDevice<'_, N>) -> Option<()>,
    ) -> Option<[u64; N]> {
        if is_cut(text) {
            return None;
        }
        self.devices.begin();
        let mut all_read = true;
        parse(text, &mut |device, counters| {
            let counts = disks.count(device);
            match counters {
                // Of the many loop devices a host may have, most never do anything.
                Some(counters)
                    if counts || counters.iter().any(|it| it.is_some_and(|it| it > 0)) =>
                {
                    self.devices.see(&device, counters, counts);
                }
                Some(_) => {}
                None => all_read &= !counts,
            }
        })?;
        all_read.then(|| self.devices.totals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::{v1, v2};

    fn disks() -> Disks {
        let mut disks = Disks::new(None);
        disks.read(
            b"8 0 sda 1 0 2 0 3 0 4 0 0 5 0\n8 16 sdb 1 0 2 0 3 0 4 0 0 5 0\n\
              7 0 loop0 1 0 2 0 3 0 4 0 0 5 0\n7 7 loop7 1 0 2 0 3 0 4 0 0 5 0\n",
        );
        disks
    }

    #[test]
    fn numbers_are_those_of_the_last_device_named() {
        for (text, expected) in [
            ("7:7 7:0 8:16 rbytes=1000 wbytes=20 rios=3 wios=4\n", [1000, 20, 3, 4]),
            ("8:16 7:0 rbytes=1000 wbytes=20 rios=3 wios=4\n", [0; 4]),
            ("8:16 (unknown) rbytes=1000 wbytes=20 rios=3 wios=4\n", [0; 4]),
            ("8:0 rbytes=1 7:0 rbytes=5\n8:16 wbytes=2\n(unknown)\n", [1, 2, 0, 0]),
        ] {
            let read = IoTotals::default().read(text.as_bytes(), &disks(), v2::io_stat);
            assert_eq!(read, Some(expected), "{text}");
        }
    }

    #[test]
    fn a_file_that_was_cut_is_not_known_and_nothing_counts_twice_afterwards() {
        let (mut totals, disks) = (IoTotals::default(), disks());
        let mut read = |text: &str| totals.read(text.as_bytes(), &disks, v2::io_stat);
        let whole =
            "8:0 rbytes=1000000 wbytes=1 rios=1 wios=1\n8:16 rbytes=7 wbytes=1 rios=1 wios=1\n";
        assert_eq!(read(&whole[..whole.len() - 30]), None, "the first reading is cut");
        assert_eq!(read(whole), Some([1_000_007, 2, 2, 2]));
        for cut in 1..whole.len() {
            let expected = whole[..cut].ends_with('\n').then_some([1_000_007, 2, 2, 2]);
            assert_eq!(read(&whole[..cut]), expected, "{:?}", &whole[..cut]);
        }
        assert_eq!(read(&whole.replace("=7", "=9")), Some([1_000_009, 2, 2, 2]));
        assert_eq!(read(&whole.replace("=7", "=x")), None);
        assert_eq!(read(""), Some([1_000_009, 2, 2, 2]));
    }

    #[test]
    fn of_legacy_files_a_device_that_returns_adds_what_is_new() {
        let (mut totals, disks) = (IoTotals::default(), disks());
        let mut read = |text: &str| totals.read(text.as_bytes(), &disks, v1::io);
        let both = "8:0 Read 100\n8:0 Write 20\n8:0 Total 120\n7:0 Read 9\n8:16 Read 3\n8:16 Write 4\nTotal 136\n";
        assert_eq!(read(both), Some([103, 24]));
        assert_eq!(read("8:16 Read 5\n8:16 Write 4\nTotal 9\n"), Some([105, 24]));
        assert_eq!(read(&both.replace("Read 3", "Read 6")), Some([106, 24]));
        assert_eq!(read("8:0 Read 100\n"), None, "without its last line");
        let restarted = "8:0 Read 50\n8:0 Write 7\n8:16 Read 6\n8:16 Write 4\nTotal 67\n";
        assert_eq!(read(restarted), Some([156, 31]));
    }
}
