//! Deployments and every other kind of owner.

use std::sync::Arc;

use kubemonitor_inventory::WorkloadKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::{GroupFacts, GroupReading, GroupUsage, Timestamp};

/// Which Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct DeploymentIdentity {
    /// Its namespace.
    pub(crate) namespace: Arc<str>,
    /// Its name.
    pub(crate) deployment: Arc<str>,
}

/// A Deployment at one moment: the sum over its pods, or what was pushed of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(DeploymentSample::example()))]
pub(crate) struct DeploymentSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    identity: DeploymentIdentity,
    #[serde(flatten)]
    usage: GroupUsage,
}

/// Which workload.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct WorkloadIdentity {
    /// Its namespace.
    pub(crate) namespace: Arc<str>,
    /// Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet, or Pod for a pod that nobody
    /// owns.
    pub(crate) workload_kind: Arc<str>,
    /// Its name.
    pub(crate) workload_name: Arc<str>,
}

/// A workload at one moment: the sum over its pods, or what was pushed of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(WorkloadSample::example()))]
pub(crate) struct WorkloadSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    identity: WorkloadIdentity,
    #[serde(flatten)]
    usage: GroupUsage,
}

impl From<&WorkloadKey> for DeploymentIdentity {
    fn from(key: &WorkloadKey) -> Self {
        Self { namespace: Arc::clone(&key.namespace), deployment: Arc::clone(&key.name) }
    }
}

impl From<&WorkloadKey> for WorkloadIdentity {
    fn from(key: &WorkloadKey) -> Self {
        Self {
            namespace: Arc::clone(&key.namespace),
            workload_kind: key.kind.as_str().into(),
            workload_name: Arc::clone(&key.name),
        }
    }
}

impl DeploymentSample {
    /// What was read of a Deployment, and what else is said of it.
    pub(crate) fn new(
        identity: DeploymentIdentity,
        reading: &GroupReading,
        facts: &GroupFacts,
    ) -> Self {
        let usage = GroupUsage::new(reading, facts);
        Self { timestamp: Timestamp(reading.at()), identity, usage }
    }

    fn example() -> Self {
        let identity = DeploymentIdentity { namespace: "shop".into(), deployment: "cart".into() };
        Self { timestamp: Timestamp::EXAMPLE, identity, usage: GroupUsage::example() }
    }
}

impl WorkloadSample {
    /// What was read of a workload, and what else is said of it.
    pub(crate) fn new(
        identity: WorkloadIdentity,
        reading: &GroupReading,
        facts: &GroupFacts,
    ) -> Self {
        let usage = GroupUsage::new(reading, facts);
        Self { timestamp: Timestamp(reading.at()), identity, usage }
    }

    fn example() -> Self {
        let identity = WorkloadIdentity {
            namespace: "shop".into(),
            workload_kind: "StatefulSet".into(),
            workload_name: "orders-db".into(),
        };
        Self { timestamp: Timestamp::EXAMPLE, identity, usage: GroupUsage::example() }
    }
}
