//! What a fleet looks like.

use std::time::Duration;

use kubemonitor_model::Interval;

/// What a fleet looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Nodes.
    pub nodes: u32,
    /// Pods on each node.
    pub pods: u32,
    /// Containers in each pod.
    pub containers: u32,
    /// The time between two ticks.
    pub interval: Interval,
    /// Containers, in percent, that do nothing but answer a probe once a minute. Three quarters of
    /// the others do a little all the time, and one quarter works.
    pub idle_percent: u8,
    /// Nodes, in percent, with cgroup v1.
    pub legacy_percent: u8,
    /// How long a pod lives on average before another one of its workload takes its place.
    pub pod_lifetime: Duration,
    /// What everything random derives from.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            nodes: 100,
            pods: 30,
            containers: 2,
            interval: Interval::default(),
            idle_percent: 60,
            legacy_percent: 25,
            pod_lifetime: Duration::from_secs(12 * 3600),
            seed: 1,
        }
    }
}

/// A shape no fleet can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShapeError {
    /// There would be nothing to measure.
    #[error("a fleet has at least one node: give --nodes 1 or more")]
    NoNodes,
    /// A frame has no room for all of a node's entities.
    #[error(
        "{pods} pods of {containers} containers are {entities} entities, and a node's frame holds \
         {limit}: give fewer --pods or --containers"
    )]
    TooManyOnANode {
        /// The pods on a node.
        pods: u32,
        /// The containers in each.
        containers: u32,
        /// All of a node.
        entities: u64,
        /// How many there may be.
        limit: usize,
    },
    /// Pods could not be told apart by number.
    #[error(
        "{nodes} nodes with {pods} pods each are more pods than can be numbered: give fewer --nodes or \
         --pods"
    )]
    TooManyPods {
        /// The nodes.
        nodes: u32,
        /// The pods on each.
        pods: u32,
    },
}

impl Shape {
    /// Pods on all nodes together.
    pub(crate) fn all_pods(&self) -> u32 {
        self.nodes.saturating_mul(self.pods)
    }

    /// Entities of one node, itself included.
    pub fn entities_on_a_node(&self) -> u64 {
        1 + u64::from(self.pods) * (1 + u64::from(self.containers))
    }

    pub(super) fn check(&self) -> Result<(), ShapeError> {
        let Self { nodes, pods, containers, .. } = *self;
        let (entities, limit) = (self.entities_on_a_node(), kubemonitor_frame::MAX_ENTITIES);
        if nodes == 0 {
            Err(ShapeError::NoNodes)
        } else if entities > limit as u64 {
            Err(ShapeError::TooManyOnANode { pods, containers, entities, limit })
        } else if nodes.checked_mul(pods).is_none() {
            Err(ShapeError::TooManyPods { nodes, pods })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let shape = |nodes, pods, containers| Shape { nodes, pods, containers, ..Shape::default() };
        assert_eq!(shape(5000, 30, 2).check(), Ok(()));
        assert_eq!(shape(1, 0, 0).check(), Ok(()));
        assert_eq!(shape(0, 30, 2).check(), Err(ShapeError::NoNodes));
        let refusal = shape(1, 2048, 1).check().unwrap_err();
        assert!(refusal.to_string().contains("4097 entities"), "{refusal}");
        let pods = 100;
        let too_many = ShapeError::TooManyPods { nodes: u32::MAX, pods };
        assert_eq!(shape(u32::MAX, pods, 1).check(), Err(too_many));
    }
}
