//! From what was asked to what answers it: parameters, spans of time, pages, and the entities in
//! the store and the inventory.

mod containers;
mod coverage;
mod cursor;
mod entity;
mod gauges;
mod groups;
mod nodes;
mod page;
mod params;
mod pod_params;
mod pods;
mod presence;
mod sorted;
mod steps;
mod time;
mod units;

pub(crate) use containers::containers_of;
pub(crate) use entity::Entity;
pub(crate) use groups::{deployment, deployments, namespace, namespaces, workload, workloads};
pub(crate) use nodes::{known as known_node, node, nodes};
pub(crate) use page::{Listed, PageParams, Selection, SortBy};
pub(crate) use params::{Address, Asked, Params, Question, documented};
pub(crate) use pod_params::PodParams;
pub(crate) use pods::{Scope, find_pod, pods, top_pods};
pub(crate) use time::{Span, TimeParams, When};
pub(crate) use units::{unit, units, units_on};
