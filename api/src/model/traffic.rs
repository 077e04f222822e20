//! Disk and network of anything.

use kubemonitor_model::Metric;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reading, rounded};

/// Bytes read from and written to block devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "JSON shows them side by side with others")]
pub(crate) struct Disk {
    /// Bytes read since the entity was first seen; never falls.
    pub(crate) disk_read_bytes: Option<u64>,
    /// Bytes written since the entity was first seen; never falls.
    pub(crate) disk_write_bytes: Option<u64>,
    /// Bytes read per second.
    pub(crate) disk_read_bytes_per_second: Option<f64>,
    /// Bytes written per second.
    pub(crate) disk_write_bytes_per_second: Option<f64>,
}

/// Bytes received and sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "JSON shows them side by side with others")]
pub(crate) struct Network {
    /// Bytes received since the entity was first seen; never falls.
    pub(crate) network_rx_bytes: Option<u64>,
    /// Bytes sent since the entity was first seen; never falls.
    pub(crate) network_tx_bytes: Option<u64>,
    /// Bytes received per second.
    pub(crate) network_rx_bytes_per_second: Option<f64>,
    /// Bytes sent per second.
    pub(crate) network_tx_bytes_per_second: Option<f64>,
}

impl Disk {
    pub(super) fn of(reading: &Reading) -> Self {
        Self {
            disk_read_bytes: reading.value(Metric::DiskReadBytes),
            disk_write_bytes: reading.value(Metric::DiskWriteBytes),
            disk_read_bytes_per_second: reading.rate(Metric::DiskReadBytes).map(rounded),
            disk_write_bytes_per_second: reading.rate(Metric::DiskWriteBytes).map(rounded),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            disk_read_bytes: Some(73_728),
            disk_write_bytes: Some(1_245_184),
            disk_read_bytes_per_second: Some(0.0),
            disk_write_bytes_per_second: Some(16_384.0),
        }
    }
}

impl Network {
    pub(super) fn of(reading: &Reading) -> Self {
        Self {
            network_rx_bytes: reading.value(Metric::NetworkRxBytes),
            network_tx_bytes: reading.value(Metric::NetworkTxBytes),
            network_rx_bytes_per_second: reading.rate(Metric::NetworkRxBytes).map(rounded),
            network_tx_bytes_per_second: reading.rate(Metric::NetworkTxBytes).map(rounded),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            network_rx_bytes: Some(913_408),
            network_tx_bytes: Some(402_112),
            network_rx_bytes_per_second: Some(1_228.8),
            network_tx_bytes_per_second: Some(512.4),
        }
    }
}
