//! The kinds of objects that are watched.

use std::fmt;

/// A kind of object that is watched, one watch for the whole cluster each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Who runs where.
    Pods,
    /// Machines.
    Nodes,
    /// Namespaces, those without pods too.
    Namespaces,
    /// What stands between a pod and its Deployment.
    ReplicaSets,
    /// Deployments.
    Deployments,
    /// StatefulSets.
    StatefulSets,
    /// DaemonSets.
    DaemonSets,
    /// What stands between a pod and its CronJob, and Jobs of their own.
    Jobs,
    /// CronJobs.
    CronJobs,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Pods,
        Self::Nodes,
        Self::Namespaces,
        Self::ReplicaSets,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::Jobs,
        Self::CronJobs,
    ];

    /// As the Kubernetes API and its RBAC rules call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Nodes => "nodes",
            Self::Namespaces => "namespaces",
            Self::ReplicaSets => "replicasets",
            Self::Deployments => "deployments",
            Self::StatefulSets => "statefulsets",
            Self::DaemonSets => "daemonsets",
            Self::Jobs => "jobs",
            Self::CronJobs => "cronjobs",
        }
    }

    /// Whether the server is of no use without it. The others add names of owners: without them
    /// pods stand under what directly made them.
    pub(crate) fn is_essential(self) -> bool {
        matches!(self, Self::Pods | Self::Nodes | Self::Namespaces)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind whose objects are not all known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSynced {
    /// The kind.
    pub kind: Kind,
    /// The Kubernetes API refuses to list or watch it.
    pub refused: bool,
}

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        if self.refused {
            write!(f, "{kind}: the service account may not list and watch them")
        } else {
            write!(f, "{kind}: not listed yet")
        }
    }
}
