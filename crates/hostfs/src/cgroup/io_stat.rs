//! `io.stat` of cgroup v2.

use super::io::{DeviceIo, EachDevice};
use crate::{
    procfs::diskstats::DeviceNumber,
    text::{lines, number, split_once, words},
};

/// Reads `io.stat`: lines of `MAJ:MIN rbytes=n wbytes=n rios=n wios=n …`. `each` gets the bytes read
/// and written and the operations of each device; `None` in their place where one is no number. The
/// answer is `None` when a device's own number cannot be read.
///
/// A device that did nothing may stand there alone, and an empty file says that nothing was done at
/// all. Some kernels do not end the line of such a device, so that the next one follows on it (Linux
/// 5.15 and some more), and call a device without a number `(unknown)`: the counters are those of the
/// last device named before them.
pub fn io_stat(text: &[u8], each: &mut EachDevice<'_, 4>) -> Option<()> {
    for line in lines(text) {
        let (mut device, mut counters, mut readable) = (None, [None; 4], true);
        for word in words(line) {
            let Some((key, value)) = split_once(word, b'=') else {
                hand_on(device, counters, readable, each);
                (counters, readable) = ([None; 4], true);
                device = match split_once(word, b':') {
                    Some((major, minor)) => Some(DeviceNumber::parse(major, minor)?),
                    None => None,
                };
                continue;
            };
            let slot = match key {
                b"rbytes" => &mut counters[0],
                b"wbytes" => &mut counters[1],
                b"rios" => &mut counters[2],
                b"wios" => &mut counters[3],
                _ => continue,
            };
            *slot = number(value);
            readable &= slot.is_some();
        }
        hand_on(device, counters, readable, each);
    }
    Some(())
}

fn hand_on(
    device: Option<DeviceNumber>,
    counters: DeviceIo<4>,
    readable: bool,
    each: &mut EachDevice<'_, 4>,
) {
    if let Some(device) = device
        && (counters != [None; 4] || !readable)
    {
        each(device, readable.then_some(counters));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The devices, and their counters.
    type Rows = Vec<((u32, u32), Option<DeviceIo<4>>)>;

    fn rows(text: &str) -> Option<Rows> {
        let mut rows = Vec::new();
        io_stat(text.as_bytes(), &mut |device, counters| {
            rows.push(((device.major, device.minor), counters));
        })?;
        Some(rows)
    }

    #[test]
    fn each_device_has_its_io() {
        let text = "7:7 \n254:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=9 dios=9\n11:0 \n254:16 rbytes=5\n";
        let all = [100, 20, 3, 4].map(Some);
        let expected = vec![((254, 0), Some(all)), ((254, 16), Some([Some(5), None, None, None]))];
        assert_eq!(rows(text), Some(expected));
    }

    #[test]
    fn an_empty_io_stat_says_that_nothing_was_done() {
        assert_eq!(rows(""), Some(Vec::new()));
        assert_eq!(rows("8:0 rbytes=x\n8:1 cost.usage=3\n"), Some(vec![((8, 0), None)]));
        assert_eq!(rows("8:x rbytes=1\n"), None);
    }
}
