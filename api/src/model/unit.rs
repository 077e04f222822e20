//! What runs outside Kubernetes: systemd services and plain containers.

use kubemonitor_inventory::Resources;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disk, Network, Reading, Timestamp, Usage};

/// Which unit.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct UnitIdentity {
    /// The node it runs on.
    pub(crate) node_name: String,
    /// The service's name, or the container's.
    pub(crate) unit_name: String,
}

/// A unit at one moment, measured by its cgroup.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(UnitSample::example()))]
pub(crate) struct UnitSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    identity: UnitIdentity,
    #[serde(flatten)]
    usage: Usage,
    #[serde(flatten)]
    disk: Disk,
    #[serde(flatten)]
    network: Network,
}

impl UnitSample {
    /// What was read of a unit.
    pub(crate) fn new(identity: UnitIdentity, reading: &Reading) -> Self {
        Self {
            timestamp: Timestamp(reading.at),
            identity,
            usage: Usage::of(reading, Resources::default()),
            disk: Disk::of(reading),
            network: Network::of(reading),
        }
    }

    fn example() -> Self {
        Self {
            timestamp: Timestamp::EXAMPLE,
            identity: UnitIdentity {
                node_name: "worker-1".into(),
                unit_name: "containerd.service".into(),
            },
            usage: Usage::example(),
            disk: Disk::example(),
            network: Network::example(),
        }
    }
}
