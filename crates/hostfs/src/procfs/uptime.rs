//! `/proc/uptime`: time since boot.

use crate::text::{lines, thousandths, words};

/// `/proc/uptime`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    /// Milliseconds since boot.
    pub since_boot_ms: Option<u64>,
}

/// Reads `/proc/uptime`.
pub fn parse(text: &[u8]) -> Uptime {
    let first = lines(text).next().and_then(|line| words(line).next());
    Uptime { since_boot_ms: first.and_then(thousandths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_milliseconds() {
        assert_eq!(parse(b"3746.73 5553.72\n").since_boot_ms, Some(3_746_730));
    }
}
