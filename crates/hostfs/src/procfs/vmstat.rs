//! `/proc/vmstat`: what the memory management did.

use crate::text::pairs;

/// `/proc/vmstat`, counted since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmStat {
    /// Page faults that needed I/O.
    pub major_faults: Option<u64>,
    /// Pages swapped in.
    pub swapped_in: Option<u64>,
    /// Pages swapped out.
    pub swapped_out: Option<u64>,
    /// Processes killed for want of memory (Linux 4.13).
    pub oom_kills: Option<u64>,
}

/// Reads `/proc/vmstat`.
pub fn parse(text: &[u8]) -> VmStat {
    let mut stat = VmStat::default();
    for (key, value) in pairs(text) {
        match key {
            b"pgmajfault" => stat.major_faults = value,
            b"pswpin" => stat.swapped_in = value,
            b"pswpout" => stat.swapped_out = value,
            b"oom_kill" => {
                stat.oom_kills = value;
                // The last of those wanted, of nearly two hundred.
                break;
            }
            _ => {}
        }
    }
    stat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_name() {
        let text = b"nr_free_pages 9\npswpin 1\npswpout 2\npgmajfault 3\noom_kill 4\nnr_x 5\n";
        let expected = VmStat {
            major_faults: Some(3),
            swapped_in: Some(1),
            swapped_out: Some(2),
            oom_kills: Some(4),
        };
        assert_eq!(parse(text), expected);
    }
}
