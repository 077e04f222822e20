//! Objects of a large cluster, as large as real ones and all different.

use kubemonitor_fake_kubernetes::{FakeKubernetes, Fixture, Request, Verb};
use serde_json::{Value, json};

/// How large a cluster is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) pods: usize,
    pub(crate) deployments: usize,
}

pub(crate) fn is_pods(request: &Request, verb: Verb) -> bool {
    request.resource == "pods" && request.verb == verb
}

impl Size {
    /// Lets the API server list such a cluster: a namespace for every 50 deployments, the pods of a
    /// deployment spread over nodes, a ReplicaSet in use and two older ones for each deployment.
    pub(crate) fn make_up(self, fake: &FakeKubernetes) {
        let namespaces = self.deployments.div_ceil(50);
        fake.make_up("namespaces", namespaces, |i| {
            metadata(&Object::named(&format!("team-{i}"), i))
        });
        fake.make_up("deployments", self.deployments, |i| metadata(&deployment(i)));
        fake.make_up("replicasets", 3 * self.deployments, |i| metadata(&replica_set(i)));
        let node = template("nodes", "lab-node");
        fake.make_up("nodes", self.nodes, move |i| node.replace("lab-node", &format!("node-{i}")));
        let pod = pod_template();
        fake.make_up("pods", self.pods, move |i| {
            let deployment = i % self.deployments;
            let replica_set = replica_set(3 * deployment);
            [
                ("NAMESPACE", replica_set.namespace.clone()),
                ("POD-NAME", format!("{}-{i:05x}", replica_set.name)),
                ("POD-UID", uid(3, i)),
                ("REPLICA-SET-NAME", replica_set.name),
                ("REPLICA-SET-UID", replica_set.uid),
                ("DEPLOYMENT-NAME", format!("service-{deployment}")),
                ("NODE-NAME", format!("node-{}", i % self.nodes)),
                ("CONTAINER-ID-0", format!("{:064x}", 2 * i + 1)),
                ("CONTAINER-ID-1", format!("{:064x}", 2 * i + 2)),
            ]
            .into_iter()
            .fold(pod.clone(), |pod, (placeholder, value)| pod.replace(placeholder, &value))
        });
    }
}

struct Object {
    namespace: String,
    name: String,
    uid: String,
    owner: Value,
}

impl Object {
    fn named(name: &str, number: usize) -> Self {
        Self {
            namespace: String::new(),
            name: name.to_owned(),
            uid: uid(0, number),
            owner: Value::Null,
        }
    }
}

fn deployment(i: usize) -> Object {
    Object {
        namespace: format!("team-{}", i / 50),
        name: format!("service-{i}"),
        uid: uid(1, i),
        owner: Value::Null,
    }
}

fn replica_set(i: usize) -> Object {
    let deployment = deployment(i / 3);
    Object {
        name: format!("{}-{:010x}", deployment.name, i % 3),
        uid: uid(2, i),
        owner: json!([{"apiVersion": "apps/v1", "kind": "Deployment", "controller": true,
                       "name": deployment.name, "uid": deployment.uid}]),
        namespace: deployment.namespace,
    }
}

fn uid(kind: usize, number: usize) -> String {
    format!("0f9d4c1e-{kind:04x}-4000-8000-{number:012x}")
}

fn metadata(object: &Object) -> String {
    json!({"metadata": {
        "name": object.name, "namespace": object.namespace, "uid": object.uid,
        "ownerReferences": object.owner, "managedFields": managed_fields(),
        "labels": {"app.kubernetes.io/name": object.name}
    }})
    .to_string()
}

/// The captured object of this name.
fn captured(resource: &str, name: &str) -> Value {
    let mut objects = Fixture::captured().lists.remove(resource).unwrap();
    objects.retain(|object| object["metadata"]["name"].as_str().unwrap().starts_with(name));
    objects.swap_remove(0)
}

fn template(resource: &str, name: &str) -> String {
    let mut object = captured(resource, name);
    object["metadata"]["managedFields"] = managed_fields();
    object.to_string()
}

/// A captured pod of two containers, with the labels, annotations and field managers that pods of
/// real clusters carry, and placeholders in the place of what tells pods apart.
fn pod_template() -> String {
    let mut pod = captured("pods", "web-");
    let metadata = &mut pod["metadata"];
    metadata["name"] = "POD-NAME".into();
    metadata["namespace"] = "NAMESPACE".into();
    metadata["uid"] = "POD-UID".into();
    metadata["labels"] = json!({
        "app.kubernetes.io/name": "DEPLOYMENT-NAME", "app.kubernetes.io/instance": "production",
        "app.kubernetes.io/part-of": "NAMESPACE", "app.kubernetes.io/managed-by": "Helm",
        "pod-template-hash": "REPLICA-SET-NAME"
    });
    metadata["annotations"] = json!({
        "prometheus.io/scrape": "true", "prometheus.io/port": "8080",
        "checksum/config": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    });
    metadata["ownerReferences"][0]["name"] = "REPLICA-SET-NAME".into();
    metadata["ownerReferences"][0]["uid"] = "REPLICA-SET-UID".into();
    metadata["managedFields"] = managed_fields();
    pod["spec"]["nodeName"] = "NODE-NAME".into();
    for place in [0, 1] {
        pod["status"]["containerStatuses"][place]["containerID"] =
            format!("containerd://CONTAINER-ID-{place}").into();
    }
    pod.to_string()
}

/// What field managers typically leave: about 2 KB.
fn managed_fields() -> Value {
    let fields = |prefix: &str| -> Value {
        (0..25)
            .map(|i| (format!("f:{prefix}Field{i}"), json!({})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
         "time": "2026-11-23T19:26:38Z", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:metadata": fields("metadata"), "f:spec": fields("spec")}},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1",
         "time": "2026-11-23T19:28:25Z", "fieldsType": "FieldsV1", "subresource": "status",
         "fieldsV1": {"f:status": fields("status")}}
    ])
}

#[test]
fn pods_are_as_large_as_real_ones() {
    let size = pod_template().len();
    assert!((5_000..9_000).contains(&size), "{size} bytes");
}
