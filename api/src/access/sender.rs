//! Whose frames a sender may send.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::UserInfo;
use kubemonitor_inventory::Inventory;
use kubemonitor_model::{EntityId, NodeName};

use crate::errors::ApiError;

/// What Kubernetes adds to the user of a token that is bound to a pod. The node is there from
/// Kubernetes 1.30 on.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Whose frames a sender may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Those of any node.
    OfAnyNode,
    /// Those of the node that its pod runs on.
    OfNode(Arc<str>),
}

impl Sender {
    /// The collector whose token it is, by the node that its pod runs on.
    pub(super) fn collector(holder: &UserInfo, inventory: &Inventory) -> Result<Self, ApiError> {
        if let Some(node) = extra(holder, NODE_NAME) {
            return Ok(Self::OfNode(node.into()));
        }
        let (Some(name), Some(uid)) = (extra(holder, POD_NAME), extra(holder, POD_UID)) else {
            return Err(ApiError::WrongToken(
                "it is bound to no pod: mount the one that kubelet gives each pod (a projected \
                 volume with a `serviceAccountToken`), as deploy/monitor.yaml does"
                    .to_owned(),
            ));
        };
        let uid = EntityId::parse(uid);
        let pod = inventory.pod_by_uid(&uid);
        let pod = pod.filter(|pod| pod.api_uid == uid && pod.name.as_ref() == name);
        if let Some(node) = pod.and_then(|pod| pod.node.clone()) {
            return Ok(Self::OfNode(node));
        }
        // The pod may be known in a moment.
        inventory.ready().map_err(|missing| ApiError::NotReady {
            missing: missing.iter().map(ToString::to_string).collect(),
        })?;
        Err(ApiError::WrongToken(format!(
            "it names no node (Kubernetes before 1.30 names none, and none is named for a pod that is \
             on none), and the pod `{name}` that it is bound to is not known to be on one"
        )))
    }

    /// Whether these may be its frames.
    pub(super) fn check(&self, node: &NodeName) -> Result<(), ApiError> {
        match self {
            Self::OfNode(own) if own.as_ref() != node.as_str() => {
                Err(ApiError::OtherNode { node: node.to_string(), own: own.as_ref().to_owned() })
            }
            _ => Ok(()),
        }
    }
}

fn extra<'a>(holder: &'a UserInfo, key: &str) -> Option<&'a str> {
    holder.extra.as_ref()?.get(key)?.first().map(String::as_str).filter(|value| !value.is_empty())
}
