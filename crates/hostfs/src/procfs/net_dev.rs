//! `/proc/net/dev`: the interfaces of a network namespace.

use crate::text::{lines, number, words};

/// What one interface, or several together, carried since they came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Received packets dropped.
    pub rx_drops: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Transmit errors.
    pub tx_errors: u64,
    /// Packets to send that were dropped.
    pub tx_drops: u64,
}

impl From<[u64; 8]> for NetworkCounters {
    fn from(counters: [u64; 8]) -> Self {
        let [rx_bytes, rx_packets, rx_errors, rx_drops, tx_bytes, tx_packets, tx_errors, tx_drops] =
            counters;
        Self {
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_drops,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_drops,
        }
    }
}

/// One line of `/proc/net/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface<'a> {
    /// Its name.
    pub name: &'a [u8],
    columns: &'a [u8],
}

impl Interface<'_> {
    /// Bytes, packets, errors and drops, received and then sent; `None` when the line does not have
    /// them all. Columns: bytes packets errs drop fifo frame compressed multicast, received and then
    /// bytes packets errs drop fifo colls carrier compressed, sent.
    pub fn counters(&self) -> Option<[u64; 8]> {
        let mut columns = words(self.columns).map(number);
        let mut counters = [0; 8];
        for (place, counter) in counters.iter_mut().enumerate() {
            if place == 4 {
                for _ in 4..8 {
                    columns.next()??;
                }
            }
            *counter = columns.next()??;
        }
        Some(counters)
    }
}

/// The interfaces in the file's order.
pub fn interfaces(text: &[u8]) -> impl Iterator<Item = Interface<'_>> {
    lines(text).filter_map(|line| {
        // The numbers hold no colon, and the two lines of headings neither.
        let colon = memchr::memrchr(b':', line)?;
        let name = line[..colon].trim_ascii();
        (!name.is_empty()).then(|| Interface { name, columns: &line[colon + 1..] })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"Inter-|   Receive                 |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs\n    \
        lo:    6486      60    0    0    0     0          0         0     6486      60    0    0    0     0       0          0\n  \
        eth0: 348576944   10024    1    2    3     4          5         6   578603    5056    7    8    0     0       0          0\n\
        veth1:100 2 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n";

    #[test]
    fn each_interface_has_its_counters() {
        let eth0 = interfaces(FILE).nth(1).unwrap();
        let expected = NetworkCounters {
            rx_bytes: 348_576_944,
            rx_packets: 10_024,
            rx_errors: 1,
            rx_drops: 2,
            tx_bytes: 578_603,
            tx_packets: 5056,
            tx_errors: 7,
            tx_drops: 8,
        };
        assert_eq!(
            (eth0.name, eth0.counters().map(NetworkCounters::from)),
            (&b"eth0"[..], Some(expected))
        );
    }

    #[test]
    fn names_may_touch_their_first_number() {
        let names: Vec<_> = interfaces(FILE).map(|interface| interface.name).collect();
        assert_eq!(names, [&b"lo"[..], b"eth0", b"veth1"]);
    }

    #[test]
    fn a_line_that_is_cut_short_has_no_counters() {
        let broken =
            b"eth0: 1 2 3 4 5 6 7 8 9 10 11 12 0 0 0 0\neth1: 1 2 x\neth2: 1 2 3 4 5 6 7\n";
        let counters: Vec<_> = interfaces(broken).map(|interface| interface.counters()).collect();
        assert_eq!(counters, [Some([1, 2, 3, 4, 9, 10, 11, 12]), None, None]);
    }
}
