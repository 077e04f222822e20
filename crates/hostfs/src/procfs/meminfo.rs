//! `/proc/meminfo`: the node's memory.

use crate::text::{lines, number, split_once, words};

/// `/proc/meminfo`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemInfo {
    /// Memory the kernel manages.
    pub total: Option<u64>,
    /// Memory nobody uses.
    pub free: Option<u64>,
    /// What new work can have without swapping, by the kernel's estimate (Linux 3.14).
    pub available: Option<u64>,
    /// Block device buffers.
    pub buffers: Option<u64>,
    /// Page cache.
    pub cached: Option<u64>,
    /// Swap there is.
    pub swap_total: Option<u64>,
    /// Swap nobody uses.
    pub swap_free: Option<u64>,
}

/// Reads `/proc/meminfo`.
pub fn parse(text: &[u8]) -> MemInfo {
    let mut info = MemInfo::default();
    for line in lines(text) {
        let Some((key, value)) = split_once(line, b':') else { continue };
        let slot = match key {
            b"MemTotal" => &mut info.total,
            b"MemFree" => &mut info.free,
            b"MemAvailable" => &mut info.available,
            b"Buffers" => &mut info.buffers,
            b"Cached" => &mut info.cached,
            b"SwapTotal" => &mut info.swap_total,
            b"SwapFree" => {
                info.swap_free = bytes(value);
                // The last of those wanted; some forty lines follow.
                break;
            }
            _ => continue,
        };
        *slot = bytes(value);
    }
    info
}

fn bytes(value: &[u8]) -> Option<u64> {
    let mut words = words(value);
    let kibibytes = number(words.next()?)?;
    (words.next() == Some(b"kB")).then(|| kibibytes.checked_mul(1024)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes() {
        let text = b"MemTotal:       24684084 kB\nMemFree:        21164756 kB\n\
            MemAvailable:   22052584 kB\nBuffers:            7476 kB\nCached:           939728 kB\n\
            SwapCached:            0 kB\nSwapTotal:          1024 kB\nSwapFree:              1 kB\n";
        let expected = MemInfo {
            total: Some(24_684_084 * 1024),
            free: Some(21_164_756 * 1024),
            available: Some(22_052_584 * 1024),
            buffers: Some(7476 * 1024),
            cached: Some(939_728 * 1024),
            swap_total: Some(1_048_576),
            swap_free: Some(1024),
        };
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn a_size_in_another_unit_is_not_guessed() {
        assert_eq!(parse(b"MemTotal: 5\nMemFree: 5 MB\n"), MemInfo::default());
    }
}
