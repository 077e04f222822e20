//! What goes over a network interface.

use fastrand::Rng;
use kubemonitor_model::{Metric, Row};

/// Bytes and packets, received and sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    pub(super) rx_bytes: u64,
    pub(super) rx_packets: u64,
    pub(super) tx_bytes: u64,
    pub(super) tx_packets: u64,
}

/// The headers of a packet: Ethernet, IP and TCP with its usual options.
const HEADERS: u64 = 66;

impl Network {
    /// So many requests come and are answered.
    pub(super) fn serve(&mut self, requests: u64, rng: &mut Rng) {
        for (bytes, packets, longest) in [
            (&mut self.rx_bytes, &mut self.rx_packets, 900),
            (&mut self.tx_bytes, &mut self.tx_packets, 4000),
        ] {
            let more = requests * 2 + rng.u64(0..=requests);
            *packets += more;
            *bytes += more * HEADERS + requests * rng.u64(60..longest) + rng.u64(0..HEADERS);
        }
    }

    /// Writes the counters. Nothing was lost or broken.
    pub(super) fn show(&self, row: &mut Row) {
        for (metric, value) in [
            (Metric::NetworkRxBytes, self.rx_bytes),
            (Metric::NetworkRxPackets, self.rx_packets),
            (Metric::NetworkTxBytes, self.tx_bytes),
            (Metric::NetworkTxPackets, self.tx_packets),
            (Metric::NetworkRxErrors, 0),
            (Metric::NetworkTxErrors, 0),
            (Metric::NetworkRxDrops, 0),
            (Metric::NetworkTxDrops, 0),
        ] {
            row.set(metric, Some(value));
        }
    }
}
