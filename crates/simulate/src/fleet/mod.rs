//! The fleet: what it looks like, and its nodes.

mod cgroup;
mod container;
mod identity;
mod network;
mod node;
mod pod;
mod rows;
mod shape;
#[cfg(test)]
mod tests;

pub(crate) use self::identity::{Workload, namespace_name, node_name};
pub use self::{
    cgroup::CgroupVersion,
    container::ContainerSpec,
    identity::{Names, PodPlace},
    node::Node,
    pod::PodSpec,
    rows::empty_tick,
    shape::{Shape, ShapeError},
};

/// Nodes, each with its pods.
#[derive(Debug)]
pub struct Fleet {
    shape: Shape,
    nodes: Vec<Node>,
}

impl Fleet {
    /// A fleet that has been running for some days.
    pub fn new(shape: Shape) -> Result<Self, ShapeError> {
        shape.check()?;
        Ok(Self { shape, nodes: (0..shape.nodes).map(|place| Node::new(&shape, place)).collect() })
    }

    /// What it looks like.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its nodes. They do not depend on one another.
    pub fn nodes(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Its nodes, for whoever lets each of them tick by itself.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }
}
