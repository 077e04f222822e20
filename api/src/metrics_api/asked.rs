//! What is asked: an object, a list of objects, or a description of the API.

use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReviewSpec,
};

use super::{GROUP, VERSION};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// Every node.
    Nodes,
    /// The node of this name.
    Node(String),
    /// Every pod, or those of a namespace.
    Pods(Option<String>),
    /// A pod, by namespace and name.
    Pod(String, String),
    /// What is no resource: a description of the API, or nothing at all.
    Path(String),
}

impl Asked {
    /// What a path asks for. Names of Kubernetes need no escapes, and one that has some is nobody's.
    pub(super) fn by_path(path: &str) -> Self {
        let rest = path.strip_prefix(&format!("/apis/{GROUP}/{VERSION}/"));
        let parts: Vec<&str> = rest.unwrap_or_default().split('/').collect();
        let named = parts.iter().all(|part| !part.is_empty() && !part.contains('%'));
        match parts.as_slice() {
            ["nodes"] => Self::Nodes,
            ["nodes", name] if named => Self::Node((*name).to_owned()),
            ["pods"] => Self::Pods(None),
            ["namespaces", namespace, "pods"] if named => Self::Pods(Some((*namespace).to_owned())),
            ["namespaces", namespace, "pods", name] if named => {
                Self::Pod((*namespace).to_owned(), (*name).to_owned())
            }
            _ => Self::Path(path.to_owned()),
        }
    }

    /// The right that is needed, but for whose it is.
    pub(super) fn right(&self) -> SubjectAccessReviewSpec {
        let mut spec = SubjectAccessReviewSpec::default();
        if let Self::Path(path) = self {
            spec.non_resource_attributes = Some(NonResourceAttributes {
                path: Some(path.clone()),
                verb: Some("get".to_owned()),
            });
            return spec;
        }
        let (resource, namespace, name) = self.parts();
        spec.resource_attributes = Some(ResourceAttributes {
            group: Some(GROUP.to_owned()),
            version: Some(VERSION.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some(self.verb().to_owned()),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            ..ResourceAttributes::default()
        });
        spec
    }

    /// That a user may not have it, and why if somebody said so, in Kubernetes' words.
    pub(super) fn forbidden_to(&self, user: &str, reason: &str) -> String {
        let verb = self.verb();
        let colon = if reason.is_empty() { "" } else { ": " };
        if let Self::Path(path) = self {
            let what = format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\"");
            return format!("{what}{colon}{reason}");
        }
        let (resource, namespace, name) = self.parts();
        let object = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let scope = match namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        format!(
            "{resource}.{GROUP}{object} is forbidden: User \"{user}\" cannot {verb} resource \
             \"{resource}\" in API group \"{GROUP}\" {scope}{colon}{reason}"
        )
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Nodes | Self::Pods(_) => "list",
            Self::Node(_) | Self::Pod(..) | Self::Path(_) => "get",
        }
    }

    /// Resource, namespace, name.
    fn parts(&self) -> (&'static str, Option<&str>, Option<&str>) {
        match self {
            Self::Nodes => ("nodes", None, None),
            Self::Node(name) => ("nodes", None, Some(name)),
            Self::Pods(namespace) => ("pods", namespace.as_deref(), None),
            Self::Pod(namespace, name) => ("pods", Some(namespace), Some(name)),
            Self::Path(_) => ("", None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(rest: &str) -> Asked {
        Asked::by_path(&format!("/apis/metrics.k8s.io/v1beta1/{rest}"))
    }

    #[test]
    fn paths_name_nodes_and_pods() {
        assert_eq!(asked("nodes"), Asked::Nodes);
        assert_eq!(asked("nodes/lab-v2"), Asked::Node("lab-v2".into()));
        assert_eq!(asked("pods"), Asked::Pods(None));
        assert_eq!(asked("namespaces/shop/pods"), Asked::Pods(Some("shop".into())));
        assert_eq!(asked("namespaces/shop/pods/web-1"), Asked::Pod("shop".into(), "web-1".into()));
    }

    #[test]
    fn every_other_path_is_no_resource() {
        for rest in [
            "",
            "nodes/",
            "nodes//",
            "namespaces/shop",
            "namespaces//pods",
            "pods/web-1",
            "namespaces/shop/pods/",
            "namespaces/a%2fb/pods",
            "nodes/a/b",
            "nodes/%2e%2e",
        ] {
            assert!(matches!(asked(rest), Asked::Path(_)), "{rest}");
        }
        for path in
            ["/nodes", "/apis/metrics.k8s.io/v1/nodes", "//apis/metrics.k8s.io/v1beta1/nodes"]
        {
            assert_eq!(Asked::by_path(path), Asked::Path(path.to_owned()));
        }
    }

    #[test]
    fn a_refusal_says_what_right_is_missing() {
        assert_eq!(
            asked("namespaces/shop/pods/web-1").forbidden_to("jane", ""),
            "pods.metrics.k8s.io \"web-1\" is forbidden: User \"jane\" cannot get resource \"pods\" \
             in API group \"metrics.k8s.io\" in the namespace \"shop\""
        );
        assert_eq!(
            asked("nodes").forbidden_to("jane", "no reason"),
            "nodes.metrics.k8s.io is forbidden: User \"jane\" cannot list resource \"nodes\" in API \
             group \"metrics.k8s.io\" at the cluster scope: no reason"
        );
        assert_eq!(
            Asked::by_path("/apis").forbidden_to("jane", ""),
            "forbidden: User \"jane\" cannot get path \"/apis\""
        );
    }
}
