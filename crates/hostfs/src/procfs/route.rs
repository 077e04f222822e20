//! `/proc/net/route` and `/proc/net/ipv6_route`: through which interface the default route leads.

use crate::text::{first_word, lines, words};

/// `RTF_REJECT`: the route leads nowhere.
const REJECT: u64 = 0x200;

/// The interface of the default route in `/proc/net/route`; of several that of the lowest metric.
pub fn default_ipv4(text: &[u8]) -> Option<&[u8]> {
    lines(text)
        .filter_map(|line| {
            // Iface Destination Gateway Flags RefCnt Use Metric Mask …
            let (interface, rest) = first_word(line)?;
            let mut columns = words(rest);
            let (destination, _gateway) = (columns.next()?, columns.next()?);
            let flags = hexadecimal(columns.next()?)?;
            let metric = crate::text::number(columns.nth(2)?)?;
            let mask = columns.next()?;
            let is_default = hexadecimal(destination)? == 0 && hexadecimal(mask)? == 0;
            (is_default && flags & REJECT == 0).then_some((metric, interface))
        })
        .min_by_key(|(metric, _)| *metric)
        .map(|(_, interface)| interface)
}

/// The interface of the default route in `/proc/net/ipv6_route`; of several that of the lowest metric.
pub fn default_ipv6(text: &[u8]) -> Option<&[u8]> {
    lines(text)
        .filter_map(|line| {
            // Destination, its prefix, source, its prefix, next hop, metric, references, use, flags,
            // interface: all hexadecimal.
            let mut columns = words(line);
            let is_default = columns.next()?.iter().all(|&digit| digit == b'0')
                && hexadecimal(columns.next()?)? == 0;
            let metric = hexadecimal(columns.nth(3)?)?;
            let flags = hexadecimal(columns.nth(2)?)?;
            let interface = columns.next()?;
            (is_default && flags & REJECT == 0).then_some((metric, interface))
        })
        .min_by_key(|(metric, _)| *metric)
        .map(|(_, interface)| interface)
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn ipv4(routes: &str) -> Option<String> {
        let text = HEADING.to_owned() + routes;
        default_ipv4(text.as_bytes()).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    fn ipv6(routes: &str) -> Option<String> {
        default_ipv6(routes.as_bytes()).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn the_default_route_is_the_one_to_everywhere() {
        let routes = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
        assert_eq!(ipv4(routes).as_deref(), Some("eth0"));
        let better = "bond0\t00000000\t010200C0\t0003\t0\t0\t5\t00000000\t0\t0\t0\n";
        assert_eq!(ipv4(&(routes.to_owned() + better)).as_deref(), Some("bond0"));
    }

    #[test]
    fn a_route_that_leads_nowhere_is_none() {
        assert_eq!(ipv4("*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n"), None);
        let nowhere = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        assert_eq!(ipv6(nowhere), None);
        let through = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
            fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n";
        assert_eq!(ipv6(&(nowhere.to_owned() + through)).as_deref(), Some("eth0"));
    }

    #[test]
    fn without_a_default_route_there_is_none() {
        let network = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n";
        assert_eq!(ipv6(network), None);
        for text in ["", "eth0\n", "eth0\t0\t0\n", "eth0\t-\t-\t-\t-\t-\t-\t-\n"] {
            assert_eq!((ipv4(text), ipv6(text)), (None, None), "{text:?}");
        }
    }
}
