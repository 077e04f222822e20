//! Which pods are asked for.

use std::str::FromStr;

use kubemonitor_inventory::{LabelSelector, Phase, PodMeta};
use kubemonitor_model::NodeName;
use utoipa::{IntoParams, ToSchema};

use super::{
    Scope,
    params::{Params, Question, documented},
};
use crate::errors::ApiError;

/// The parameters that choose among pods.
#[derive(Debug, Default, PartialEq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PodParams {
    /// Only pods of this namespace.
    namespace: Option<String>,
    /// Only pods on this node.
    node: Option<String>,
    /// Only pods with these labels, written as for `kubectl -l`: `app=web,tier!=cache`,
    /// `app in (a,b)`, `canary`, `!canary`. A pod whose labels are not known, because Kubernetes has
    /// not told of it or somebody pushed it, meets none of these, neither `app=web` nor `app!=web`.
    #[param(rename = "labelSelector", value_type = Option<String>)]
    selector: Option<LabelSelector>,
    /// Only pods in this phase. `Running` (the default) are those that Kubernetes says run, and, where
    /// it cannot be asked, those that are measured; `all` are those and every other that Kubernetes
    /// knows: `reason` says what keeps it from running.
    #[param(value_type = Option<PhaseName>, inline)]
    pub(super) phase: PhaseChoice,
}

/// Pods of which phases are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PhaseChoice {
    /// Those that run.
    #[default]
    Running,
    /// All there are.
    All,
    /// Those that Kubernetes has in this other phase.
    Other(Phase),
}

impl FromStr for PhaseChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, Phase::named(text)) {
            ("all", _) => Ok(Self::All),
            (_, Some(Phase::Running)) => Ok(Self::Running),
            (_, Some(phase)) => Ok(Self::Other(phase)),
            (_, None) => Err("give all, Pending, Running, Succeeded, Failed or Unknown"),
        }
    }
}

/// Every choice, for documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for its names")]
enum PhaseName {
    #[schema(rename = "all")]
    All,
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl Question for PodParams {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            namespace: params.text("namespace"),
            node: params.text("node"),
            selector: params.parsed("labelSelector")?,
            phase: params.parsed("phase")?.unwrap_or_default(),
        })
    }

    fn names() -> Vec<String> {
        documented::<Self>()
    }
}

impl PodParams {
    /// The scope as far as the parameters make it smaller.
    pub(super) fn narrowed(&self, scope: Scope) -> Scope {
        match (&scope, &self.namespace, self.node.as_deref().map(str::parse)) {
            (Scope::Cluster, Some(namespace), _) => Scope::Namespace(namespace.clone()),
            (Scope::Cluster, None, Some(Ok(node))) => Scope::Node(node),
            _ => scope,
        }
    }

    /// Whether a pod is among those that are asked for, whatever its phase.
    pub(super) fn admits(&self, node: Option<&NodeName>, meta: Option<&PodMeta>) -> bool {
        let namespace = meta.map(|meta| &*meta.namespace);
        let labels = meta.and_then(|meta| meta.labels.as_ref());
        self.namespace.as_deref().is_none_or(|asked| namespace == Some(asked))
            && self.node.as_deref().is_none_or(|asked| node.map(NodeName::as_str) == Some(asked))
            && self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::params::tests::ask;

    #[test]
    fn a_phase_is_named_as_kubernetes_names_it() {
        let phase = |query| ask::<PodParams>(query).map(|params| params.phase);
        assert_eq!(phase("").unwrap(), PhaseChoice::Running);
        assert_eq!(phase("phase=Running").unwrap(), PhaseChoice::Running);
        assert_eq!(phase("phase=all").unwrap(), PhaseChoice::All);
        assert_eq!(phase("phase=Pending").unwrap(), PhaseChoice::Other(Phase::Pending));
        for query in ["phase=", "phase=pending", "phase=CrashLoopBackOff"] {
            let refusal = phase(query).unwrap_err().to_string();
            assert!(refusal.contains("give all, Pending"), "{refusal}");
        }
    }
}
