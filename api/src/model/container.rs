//! Containers.

use std::sync::Arc;

use kubemonitor_inventory::{ContainerMeta, Resources};
use kubemonitor_model::EntityId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disk, PodIdentity, Reading, Timestamp, Usage};

/// Which container, of which pod.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ContainerIdentity {
    /// Its pod.
    #[serde(flatten)]
    pub(crate) pod: PodIdentity,
    /// Its name; its ID while Kubernetes has not told of it, as of one that was just started again.
    pub(crate) container_name: Arc<str>,
    /// The runtime's ID of this run of it; null before the first.
    pub(crate) container_id: Option<Arc<str>>,
    /// Its image, as the pod's specification names it.
    pub(crate) image: Option<Arc<str>>,
    /// app, init, sidecar or ephemeral.
    pub(crate) container_role: Option<&'static str>,
}

/// What is said of a container besides its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ContainerFacts {
    /// Who it is.
    #[serde(flatten)]
    pub(crate) identity: ContainerIdentity,
    /// Whether it runs no more.
    pub(crate) ended: bool,
    /// Its node fell silent: what is said is what was measured last, as of `timestamp`. Null in older
    /// samples than the newest.
    pub(crate) stale: Option<bool>,
    /// CPU reserved for it, in thousandths of a CPU; null without a request.
    pub(crate) cpu_request_millicores: Option<u64>,
    /// Memory reserved for it, in bytes; null without a request.
    pub(crate) memory_request_bytes: Option<u64>,
    /// How often it was started again; null in older samples than the newest.
    pub(crate) restarts: Option<u32>,
    /// The limits its specification declares.
    #[serde(skip)]
    pub(crate) limits: Resources,
}

/// A container at one moment. Its network is its pod's.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(ContainerSample::example()))]
pub(crate) struct ContainerSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = ContainerFacts)]
    pub(crate) facts: Arc<ContainerFacts>,
    #[serde(flatten)]
    usage: Usage,
    #[serde(flatten)]
    disk: Disk,
}

impl ContainerFacts {
    /// What is known of a container of `pod`: by the ID it was measured by, by what Kubernetes
    /// says, or by both.
    pub(crate) fn new(
        pod: PodIdentity,
        id: Option<&EntityId>,
        ended: bool,
        meta: Option<&ContainerMeta>,
    ) -> Self {
        let container_id: Option<Arc<str>> = id.map(|id| id.to_string().into());
        let name = meta.map(|meta| Arc::clone(&meta.name)).or_else(|| container_id.clone());
        let requests = meta.map(|meta| meta.requests).unwrap_or_default();
        Self {
            identity: ContainerIdentity {
                pod,
                container_name: name.unwrap_or_default(),
                container_id,
                image: meta.and_then(|meta| meta.image.clone()),
                container_role: meta.map(|meta| meta.role.as_str()),
            },
            ended,
            stale: Some(false),
            cpu_request_millicores: requests.cpu_millicores,
            memory_request_bytes: requests.memory_bytes,
            restarts: meta.and_then(|meta| meta.restarts),
            limits: meta.map(|meta| meta.limits).unwrap_or_default(),
        }
    }

    /// The facts of one whose node has, or has not, fallen silent.
    #[must_use]
    pub(crate) fn stale(self, stale: bool) -> Self {
        Self { stale: Some(stale), ..self }
    }

    /// What of it holds for samples older than the newest.
    #[must_use]
    pub(crate) fn past(&self) -> Self {
        Self { stale: None, restarts: None, ..self.clone() }
    }
}

impl ContainerSample {
    /// What was read of a container, and what else is said of it.
    pub(crate) fn new(facts: Arc<ContainerFacts>, reading: &Reading) -> Self {
        Self {
            timestamp: Timestamp(reading.at),
            usage: Usage::of(reading, facts.limits),
            disk: Disk::of(reading),
            facts,
        }
    }

    fn example() -> Self {
        let facts = ContainerFacts {
            identity: ContainerIdentity {
                pod: PodIdentity::example(),
                container_name: "cart".into(),
                container_id: Some("2f0c9a7e41d85b36".repeat(4).into()),
                image: Some("registry.example/shop/cart:1.8".into()),
                container_role: Some("app"),
            },
            ended: false,
            stale: Some(false),
            cpu_request_millicores: Some(100),
            memory_request_bytes: Some(134_217_728),
            restarts: Some(0),
            limits: Resources::default(),
        };
        Self {
            timestamp: Timestamp::EXAMPLE,
            facts: Arc::new(facts),
            usage: Usage::example(),
            disk: Disk::example(),
        }
    }
}
