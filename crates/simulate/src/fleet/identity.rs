//! Who everybody is, as a function of the seed and the place.

use fastrand::Rng;
use kubemonitor_model::{EntityId, NodeName};

use super::Shape;

/// A pod's place in the fleet. Pods come and go there, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PodPlace {
    /// The node's number.
    pub node: u32,
    /// The place on the node.
    pub slot: u32,
    /// How many pods were there before.
    pub generation: u32,
}

impl PodPlace {
    /// The pod's UID, a version 4 UUID.
    pub(crate) fn uid(self, seed: u64) -> EntityId {
        let mut bytes = [0; 16];
        self.rng(seed).fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        EntityId::Uuid(bytes)
    }

    /// The ID of one of the pod's containers.
    pub(crate) fn container_id(self, seed: u64, container: u32) -> EntityId {
        let mut bytes = [0; 32];
        let mut rng = self.rng(seed ^ 0xc0_17a1_9e55);
        (0..=container).for_each(|_| rng.fill(&mut bytes));
        EntityId::Digest(bytes)
    }

    /// Randomness that is this pod's alone.
    pub(crate) fn rng(self, seed: u64) -> Rng {
        let place = u64::from(self.node) << 32 | u64::from(self.slot);
        Rng::with_seed(mixed(mixed(seed ^ place) ^ u64::from(self.generation)))
    }
}

/// The name of the node at a place.
pub(crate) fn node_name(node: u32) -> NodeName {
    format!("node-{node:05}").parse().expect("letters and digits name a node")
}

/// Spreads neighbouring numbers over all of 64 bits (the finalizer of `SplitMix64`).
pub(crate) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// What Kubernetes would call a pod, and who owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The namespace.
    pub namespace: String,
    /// The deployment.
    pub deployment: String,
    /// The deployment's replica set.
    pub replica_set: String,
    /// The pod.
    pub pod: String,
}

impl Names {
    /// Pods in a deployment, about; they are spread over the nodes.
    const PODS_IN_DEPLOYMENT: u32 = 10;
    /// Namespaces, where there are deployments enough.
    const NAMESPACES: u32 = 200;

    /// How many deployments a fleet has.
    pub(crate) fn deployments(shape: &Shape) -> u32 {
        (shape.all_pods() / Self::PODS_IN_DEPLOYMENT).max(1)
    }

    /// How many namespaces a fleet has.
    pub(crate) fn namespaces(shape: &Shape) -> u32 {
        Self::deployments(shape).min(Self::NAMESPACES)
    }

    /// The names of the pod at a place.
    pub fn of(shape: &Shape, place: PodPlace) -> Self {
        // Neighbours in this order are on different nodes.
        let number = (place.slot * shape.nodes + place.node) / Self::PODS_IN_DEPLOYMENT;
        let number = number.min(Self::deployments(shape) - 1);
        let Workload { namespace, deployment, replica_set } = Workload::of(shape, number);
        let suffix = mixed(place.rng(shape.seed).u64(..)) & 0xf_ffff;
        Self { pod: format!("{replica_set}-{suffix:05x}"), namespace, deployment, replica_set }
    }
}

/// A deployment, by its number.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) namespace: String,
    pub(crate) deployment: String,
    pub(crate) replica_set: String,
}

impl Workload {
    pub(crate) fn of(shape: &Shape, number: u32) -> Self {
        let deployment = format!("app-{number:05}");
        let template = mixed(shape.seed ^ u64::from(number)) & 0xff_ffff_ffff;
        Self {
            namespace: namespace_name(number % Names::namespaces(shape)),
            replica_set: format!("{deployment}-{template:010x}"),
            deployment,
        }
    }
}

/// The name of a namespace, by its number.
pub(crate) fn namespace_name(number: u32) -> String {
    format!("team-{number:03}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    #[test]
    fn pods_are_spread_over_deployments_and_deployments_over_namespaces() {
        let shape = Shape { nodes: 100, pods: 30, ..Shape::default() };
        let mut deployments = BTreeMap::<_, Vec<u32>>::new();
        let (mut namespaces, mut pods) = (HashSet::new(), HashSet::new());
        for node in 0..shape.nodes {
            for slot in 0..shape.pods {
                let names = Names::of(&shape, PodPlace { node, slot, generation: 0 });
                namespaces.insert(names.namespace.clone());
                pods.insert((names.namespace, names.pod));
                deployments.entry(names.deployment).or_default().push(node);
            }
        }
        assert_eq!((pods.len(), deployments.len(), namespaces.len()), (3000, 300, 200));
        for nodes in deployments.values() {
            assert_eq!((nodes.len(), nodes.iter().collect::<HashSet<_>>().len()), (10, 10));
        }
    }

    #[test]
    fn a_pods_successor_belongs_to_the_same_deployment_and_is_another_one() {
        let shape = Shape::default();
        let first = PodPlace { node: 3, slot: 7, generation: 0 };
        let second = PodPlace { generation: 1, ..first };
        let (one, other) = (Names::of(&shape, first), Names::of(&shape, second));
        assert_eq!(one.deployment, other.deployment);
        assert_ne!(one.pod, other.pod);
        assert_ne!(first.uid(1), second.uid(1));
        assert_ne!(first.container_id(1, 0), second.container_id(1, 0));
        assert_ne!(first.container_id(1, 0), first.container_id(1, 1));
    }

    #[test]
    fn uids_are_version_4_uuids() {
        let uid = PodPlace { node: 0, slot: 0, generation: 0 }.uid(1).to_string();
        assert_eq!((uid.len(), &uid[14..15]), (36, "4"), "{uid}");
        assert!(["8", "9", "a", "b"].contains(&&uid[19..20]), "{uid}");
    }
}
