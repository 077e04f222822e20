//! `/proc/net/dev`: the interfaces of a network namespace.

use std::ops::AddAssign;

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

/// Counters wrap in the kernel, so sums may as well.
impl AddAssign for NetworkCounters {
    fn add_assign(&mut self, other: Self) {
        for (mine, its) in [
            (&mut self.rx_bytes, other.rx_bytes),
            (&mut self.rx_packets, other.rx_packets),
            (&mut self.rx_errors, other.rx_errors),
            (&mut self.rx_drops, other.rx_drops),
            (&mut self.tx_bytes, other.tx_bytes),
            (&mut self.tx_packets, other.tx_packets),
            (&mut self.tx_errors, other.tx_errors),
            (&mut self.tx_drops, other.tx_drops),
        ] {
            *mine = mine.wrapping_add(its);
        }
    }
}

/// One line of `/proc/net/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its counters; `None` when the line does not have them all.
    pub counters: Option<NetworkCounters>,
}

/// The interfaces in the file's order.
pub fn interfaces(text: &[u8]) -> impl Iterator<Item = Interface<'_>> {
    lines(text).filter_map(|line| {
        // The numbers hold no colon, and the two lines of headings neither.
        let colon = memchr::memrchr(b':', line)?;
        let name = line[..colon].trim_ascii();
        (!name.is_empty()).then(|| Interface { name, counters: counters(&line[colon + 1..]) })
    })
}

/// The sum over the interfaces that `counts` chooses; `None` when one of them could not be read, or
/// the text is no such file.
pub fn sum(text: &[u8], mut counts: impl FnMut(&[u8]) -> bool) -> Option<NetworkCounters> {
    let mut sum = NetworkCounters::default();
    let mut any = false;
    for interface in interfaces(text) {
        any = true;
        if counts(interface.name) {
            sum += interface.counters?;
        }
    }
    any.then_some(sum)
}

/// Columns: bytes packets errs drop fifo frame compressed multicast, received and then
/// bytes packets errs drop fifo colls carrier compressed, sent.
fn counters(columns: &[u8]) -> Option<NetworkCounters> {
    let mut columns = words(columns).map(number);
    let mut next = || columns.next().flatten();
    let (rx_bytes, rx_packets, rx_errors, rx_drops) = (next()?, next()?, next()?, next()?);
    for _ in 4..8 {
        next()?;
    }
    let (tx_bytes, tx_packets, tx_errors, tx_drops) = (next()?, next()?, next()?, next()?);
    Some(NetworkCounters {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_drops,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_drops,
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
        assert_eq!(eth0, Interface { name: b"eth0", counters: Some(expected) });
    }

    #[test]
    fn names_may_touch_their_first_number() {
        let names: Vec<_> = interfaces(FILE).map(|interface| interface.name).collect();
        assert_eq!(names, [&b"lo"[..], b"eth0", b"veth1"]);
    }

    #[test]
    fn a_sum_with_an_unreadable_part_is_not_known() {
        let broken = b"eth0: 1 2 3 4 5 6 7 8 9 10 11 12 0 0 0 0\neth1: 1 2 x\n";
        assert_eq!(sum(broken, |_| true), None);
        assert_eq!(sum(broken, |name| name == b"eth0").map(|sum| sum.tx_drops), Some(12));
        assert_eq!(sum(b"", |_| true), None);
    }
}
