//! A real cluster's answers, as they were captured.

use std::collections::BTreeMap;

use crate::support::{synced, until};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fixture};
use kubemonitor_inventory::{
    ContainerRole, Inventory, Phase, PodMeta, Resources, WorkloadKey, WorkloadKind,
};
use kubemonitor_model::{EntityId, QosClass, UnixMillis};
use serde_json::json;

async fn captured() -> FakeKubernetes {
    let fake = FakeKubernetes::start().await;
    fake.load(&Fixture::captured());
    fake
}

fn workload(pod: &PodMeta) -> String {
    pod.workload.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn amount(cpu_millicores: u64, mebibytes: u64) -> Resources {
    Resources { cpu_millicores: Some(cpu_millicores), memory_bytes: Some(mebibytes << 20) }
}

#[tokio::test]
async fn every_pod_is_known_by_uid_and_by_name_with_its_workload() {
    let fake = captured().await;
    let (inventory, _watchers) = synced(&fake).await;

    let mut count = 0;
    for captured in &Fixture::captured().lists["pods"] {
        let text = |field: &str| captured["metadata"][field].as_str().unwrap();
        let by_name = inventory.pod(text("namespace"), text("name")).unwrap();
        assert_eq!(by_name.uid.to_string(), text("uid"));
        assert_eq!(inventory.pod_by_uid(&by_name.uid), Some(by_name));
        count += 1;
    }
    assert_eq!((count, inventory.pods().len()), (15, 15));

    let mut pods_of = BTreeMap::<String, usize>::new();
    for pod in inventory.pods() {
        *pods_of.entry(workload(&pod)).or_default() += 1;
    }
    let expected = [
        ("default/Pod/bare", 1),
        ("kube-system/DaemonSet/agent", 2),
        ("shop/Deployment/guaranteed", 1),
        ("shop/Deployment/web", 6),
        ("shop/Job/report", 1),
        ("shop/Pod/bare", 1),
        ("shop/StatefulSet/db", 3),
    ];
    assert_eq!(pods_of, expected.map(|(key, pods)| (key.to_owned(), pods)).into());
}

#[tokio::test]
async fn a_pod_is_described_as_the_api_describes_it() {
    let fake = captured().await;
    let (inventory, _watchers) = synced(&fake).await;

    let web = inventory.pod("shop", "web-76d966759-fzlvh").unwrap();
    assert_eq!((web.node.as_deref(), web.phase), (Some("lab-v2"), Some(Phase::Running)));
    assert_eq!((web.qos, web.host_network), (Some(QosClass::Burstable), Some(false)));
    assert_eq!(web.labels.as_ref().unwrap().get("app"), Some("web"));
    assert_eq!((web.requests, web.limits), (amount(25, 24), amount(200, 64)));
    let names: Vec<&str> = web.containers.iter().map(|container| &*container.name).collect();
    assert_eq!(names, ["web", "sidecar"]);
    assert_eq!(web.containers[1].limits, Resources::default());
    assert!(web.containers.iter().all(|container| container.running));
    for container in &web.containers {
        let by_container = inventory.pod_by_container(container.id.as_ref().unwrap());
        assert_eq!(by_container.as_ref(), Some(&web));
    }

    let bare = inventory.pod("default", "bare").unwrap();
    let roles: Vec<ContainerRole> =
        bare.containers.iter().map(|container| container.role).collect();
    assert_eq!(roles, [ContainerRole::Init, ContainerRole::Sidecar, ContainerRole::App]);
    assert_eq!(bare.created_at, Some(UnixMillis(1_795_461_998_000)));
    let agent = inventory.pod("kube-system", "agent-qzn7k").unwrap();
    assert_eq!(agent.host_network, Some(true));
    let report = inventory.pod("shop", "report-jk4m2").unwrap();
    assert_eq!((report.phase, report.is_running()), (Some(Phase::Succeeded), false));
}

#[tokio::test]
async fn nodes_namespaces_and_workloads_carry_sums() {
    let fake = captured().await;
    let (inventory, _watchers) = synced(&fake).await;

    let key = WorkloadKey::new("shop", WorkloadKind::Deployment, "web");
    let web = inventory.workload(&key).unwrap();
    assert_eq!((web.pods.present, web.pods.running), (6, 6));
    assert_eq!((web.pods.requests, web.pods.limits), (amount(150, 144), amount(1200, 384)));
    assert_eq!(inventory.pods_of(&key).len(), 6);

    let shop = inventory.namespace("shop").unwrap();
    assert_eq!((shop.pods.present, shop.pods.running), (12, 11));
    assert_eq!(shop.pods.requests, amount(250, 176));
    let mut namespaces: Vec<String> =
        inventory.namespaces().iter().map(|namespace| namespace.name.to_string()).collect();
    namespaces.sort();
    assert_eq!(namespaces, ["default", "kube-node-lease", "kube-public", "kube-system", "shop"]);
    let empty = inventory.namespace("kube-public").unwrap();
    assert_eq!((empty.pods.present, empty.pods.requests.cpu_millicores), (0, None));

    assert_eq!(
        (inventory.sums_on("lab-node").present, inventory.sums_on("lab-v2").present),
        (10, 5)
    );
    let node = inventory.node("lab-v2").unwrap();
    assert_eq!(node.ready, Some(true));
    assert_eq!(node.labels.get("kubernetes.io/hostname"), Some("lab-v2"));
    assert!(node.capacity.memory_bytes > node.allocatable.memory_bytes);
}

#[tokio::test]
async fn two_pods_of_one_name_stay_two() {
    let fake = captured().await;
    let (inventory, _watchers) = synced(&fake).await;
    let named = inventory.pods_named("bare");
    let mut namespaces: Vec<&str> = named.iter().map(|pod| &*pod.namespace).collect();
    namespaces.sort_unstable();
    assert_eq!(namespaces, ["default", "shop"]);
}

#[tokio::test]
async fn a_static_pod_is_found_by_the_hash_in_its_cgroup() {
    let fake = captured().await;
    let mut mirror = Fixture::captured().lists["pods"][0].clone();
    let hash = "bba8a4a63ab4a7b4dc3a1f9a4bbd2d3c";
    mirror["metadata"]["name"] = "etcd-lab-node".into();
    mirror["metadata"]["namespace"] = "kube-system".into();
    mirror["metadata"]["uid"] = "0d3d8ab6-6e0a-4b21-8d0a-2f5a3e1c9b77".into();
    mirror["metadata"]["annotations"] = json!({
        "kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash,
        "kubernetes.io/config.source": "file"
    });
    let node = json!({"apiVersion": "v1", "kind": "Node", "name": "lab-node", "uid": "n",
                      "controller": true});
    mirror["metadata"]["ownerReferences"] = json!([node]);
    fake.put("pods", mirror);
    let (inventory, _watchers) = synced(&fake).await;

    let by_hash = inventory.pod_by_uid(&EntityId::parse(hash)).unwrap();
    assert_eq!(by_hash.uid, EntityId::parse(hash));
    assert_eq!(by_hash.api_uid.to_string(), "0d3d8ab6-6e0a-4b21-8d0a-2f5a3e1c9b77");
    assert_eq!(inventory.pod_by_uid(&by_hash.api_uid).as_ref(), Some(&by_hash));
    assert_eq!(workload(&by_hash), "kube-system/Pod/etcd-lab-node");
}

#[tokio::test]
async fn the_captured_watch_brings_pods_to_life() {
    let fixture = Fixture::captured();
    let fake = FakeKubernetes::start().await;
    let (inventory, _watchers) = synced(&fake).await;
    let blinks = |inventory: &Inventory| {
        let mut pods = inventory.pods_in("shop");
        pods.retain(|pod| pod.name.starts_with("blink-"));
        pods
    };
    for event in &fixture.pod_events {
        fake.replay("pods", event);
    }
    let running =
        |inventory: &Inventory| blinks(inventory).iter().filter(|pod| pod.is_running()).count();
    until("both pods run", || running(&inventory) == 2).await;
    for pod in blinks(&inventory) {
        assert_eq!(pod.workload, None, "its ReplicaSet was not captured");
        assert!(pod.containers.iter().all(|container| container.id.is_some()));
    }
    assert_eq!(inventory.pods().len(), 17);
}
