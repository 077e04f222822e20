//! Whose traffic is whose.
//!
//! A pod's containers are in one network namespace, and its traffic is the pod's. Other containers may
//! share one as well (`docker run --network container:…`), and in a Kubernetes node that is a container
//! itself, pods on the node's network are in the namespace of that container: each byte is reported once.

use std::{path::Path, time::Instant};

use kubemonitor_model::EntityKind;

use super::{Members, member::Member, source::Source};
use crate::{
    file::Scratch,
    namespace::{Candidate, Identity, NodeNamespace},
};

/// That a member is in a namespace, with what decides among several: the container that holds the
/// node, then pods, then other containers, of which the one that was made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    namespace: Identity,
    rank: Rank,
    inode: Option<u64>,
    member: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    HoldsPods,
    Pod,
    Container,
}

impl Members {
    /// Reads the traffic of everything that may have a network of its own, and notes how long after
    /// `begun`.
    pub(crate) fn read_networks(
        &mut self,
        begun: Instant,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) {
        let Self { sources, all, reported, namespaces } = self;
        namespaces.clear();
        for (place, member) in all[..*reported].iter_mut().enumerate() {
            let rank = rank(member);
            let Some(namespace) = &mut member.namespace else { continue };
            let cgroups = &member.cgroups;
            // Of a unit, what is inside is other entities'.
            let containers = if rank == Rank::Pod { &*cgroups.inside } else { &[] };
            let candidates = cgroups.own.iter().chain(&cgroups.outside).chain(containers);
            let candidates = candidates.map(|&place| {
                let Source { folder, inode, place, .. } = &sources[place];
                Candidate { folder, inode: *inode, place }
            });
            let inode = candidates.clone().map(|candidate| candidate.inode).min();
            member.read_after.network = begun.elapsed();
            member.entity.network = namespace.read(candidates, proc, node, scratch);
            if let Some(namespace) = namespace.identity() {
                namespaces.push(Claim { namespace, rank, inode, member: place });
            }
        }
        namespaces.sort_unstable();
        for two in namespaces.windows(2) {
            if two[0].namespace == two[1].namespace {
                all[two[1].member].entity.network = None;
            }
        }
    }
}

fn rank(member: &Member) -> Rank {
    match member.entity.kind {
        EntityKind::Pod => Rank::Pod,
        _ if member.cgroups.inside.is_empty() => Rank::Container,
        _ => Rank::HoldsPods,
    }
}
