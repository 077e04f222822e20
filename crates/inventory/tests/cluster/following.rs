//! What happens between the lists: changes, faults, and the way back from them.

use std::time::Duration;

use crate::support::{follow, impatient_client, named, owned_by, pod, requests, synced, until};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fault, Fixture, Verb};
use kubemonitor_inventory::{Inventory, Kind, NotSynced};
use kubemonitor_model::EntityId;
use serde_json::json;

fn is_present(inventory: &Inventory, uid: &str) -> bool {
    let pod = inventory.pod_by_uid(&EntityId::parse(uid));
    pod.is_some_and(|pod| pod.ended_at.is_none())
}

fn is_ended(inventory: &Inventory, uid: &str) -> bool {
    let pod = inventory.pod_by_uid(&EntityId::parse(uid));
    pod.is_some_and(|pod| pod.ended_at.is_some())
}

fn workload(inventory: &Inventory, uid: &str) -> Option<String> {
    let pod = inventory.pod_by_uid(&EntityId::parse(uid))?;
    pod.workload.as_ref().map(ToString::to_string)
}

/// A cluster of three pods: `a`, `b` and `c`.
async fn three_pods() -> FakeKubernetes {
    let fake = FakeKubernetes::start().await;
    for name in ["a", "b", "c"] {
        fake.put("pods", pod(name, name, "n1"));
    }
    fake
}

#[tokio::test]
async fn pods_come_change_and_go() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    assert_eq!(inventory.pods().len(), 3);

    fake.put("pods", pod("d", "d", "n2"));
    until("d is there", || is_present(&inventory, "d")).await;
    let mut failed = pod("a", "a", "n1");
    failed["status"]["phase"] = "Failed".into();
    fake.put("pods", failed);
    until("a has failed", || inventory.namespace("shop").unwrap().pods.running == 3).await;
    fake.delete("pods", "shop", "b");
    until("b is gone", || is_ended(&inventory, "b")).await;
    assert_eq!(inventory.namespace("shop").unwrap().pods.present, 3);
    assert_eq!(requests(&fake, "pods", Verb::List).len(), 1);
}

#[tokio::test]
async fn an_owner_may_come_after_its_pod() {
    let fake = FakeKubernetes::start().await;
    let web = owned_by(pod("web-1", "web", "n1"), "apps/v1", "ReplicaSet", "web-abc", "rs");
    fake.put("pods", web);
    let (inventory, _watchers) = synced(&fake).await;
    assert_eq!(workload(&inventory, "web"), None);

    let replica_set = owned_by(named("web-abc", "rs"), "apps/v1", "Deployment", "web", "dp");
    fake.put("replicasets", replica_set);
    until("it has joined", || workload(&inventory, "web").is_some()).await;
    assert_eq!(workload(&inventory, "web").as_deref(), Some("shop/Deployment/web"));
}

#[tokio::test]
async fn a_cron_jobs_pod_and_a_workload_without_pods_are_known() {
    let fake = FakeKubernetes::start().await;
    fake.put("cronjobs", named("nightly", "cj"));
    fake.put("deployments", named("idle", "dp"));
    fake.put("jobs", owned_by(named("nightly-1", "job"), "batch/v1", "CronJob", "nightly", "cj"));
    fake.put("pods", owned_by(pod("p", "p", "n1"), "batch/v1", "Job", "nightly-1", "job"));
    let (inventory, _watchers) = synced(&fake).await;
    assert_eq!(workload(&inventory, "p").as_deref(), Some("shop/CronJob/nightly"));
    let mut workloads: Vec<String> =
        inventory.workloads("shop").iter().map(|workload| workload.key.to_string()).collect();
    workloads.sort();
    assert_eq!(workloads, ["shop/CronJob/nightly", "shop/Deployment/idle"]);

    fake.delete("deployments", "shop", "idle");
    let idle = kubemonitor_inventory::WorkloadKey::new(
        "shop",
        kubemonitor_inventory::WorkloadKind::Deployment,
        "idle",
    );
    until("it is gone", || inventory.workload(&idle).unwrap().ended_at.is_some()).await;
}

#[tokio::test]
async fn a_name_that_returns_elsewhere_is_one_pod_at_a_time() {
    let fake = FakeKubernetes::start().await;
    fake.put("pods", pod("db-0", "first", "n1"));
    let (inventory, _watchers) = synced(&fake).await;

    fake.delete("pods", "shop", "db-0");
    fake.put("pods", pod("db-0", "second", "n2"));
    until("the second is there", || is_present(&inventory, "second")).await;
    assert_eq!(inventory.pod("shop", "db-0").unwrap().node.as_deref(), Some("n2"));
    assert!(is_ended(&inventory, "first"));
    assert_eq!(inventory.namespace("shop").unwrap().pods.running, 1);
}

#[tokio::test]
async fn a_name_that_returned_unseen_is_one_pod_too() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    fake.forget_history();
    fake.delete("pods", "shop", "a");
    fake.put("pods", pod("a", "second a", "n2"));
    fake.forget_history();
    until("the second is there", || is_present(&inventory, "second a")).await;
    assert!(is_ended(&inventory, "a"));
    assert_eq!(inventory.namespace("shop").unwrap().pods.present, 3);
}

#[tokio::test]
async fn after_410_gone_a_new_list_says_what_happened_meanwhile() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;

    fake.forget_history();
    fake.delete("pods", "shop", "b");
    fake.put("pods", pod("d", "d", "n1"));
    fake.forget_history();
    until("b is gone", || is_ended(&inventory, "b")).await;
    for uid in ["a", "c", "d"] {
        assert!(is_present(&inventory, uid), "{uid}");
    }
    assert_eq!(inventory.pods().len(), 4);
    assert_eq!(inventory.ready(), Ok(()));
}

#[tokio::test]
async fn a_watch_that_is_answered_410_begins_with_a_new_list() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    fake.fail("pods", Verb::Watch, Fault::Status(410), 1);
    fake.break_watches();
    until("a new list", || requests(&fake, "pods", Verb::List).len() == 2).await;
    fake.put("pods", pod("d", "d", "n1"));
    until("d is there", || is_present(&inventory, "d")).await;
}

#[tokio::test]
async fn a_broken_watch_goes_on_where_it_was() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    fake.break_watches();
    fake.put("pods", pod("d", "d", "n1"));
    fake.delete("pods", "shop", "a");
    until("d is there", || is_present(&inventory, "d")).await;
    until("a is gone", || is_ended(&inventory, "a")).await;
    assert_eq!(requests(&fake, "pods", Verb::List).len(), 1, "nothing was listed again");
}

#[tokio::test]
async fn a_bookmark_saves_a_list() {
    let fake = three_pods().await;
    let (_inventory, _watchers) = synced(&fake).await;
    let listed = requests(&fake, "pods", Verb::Watch)[0].after.unwrap();

    fake.put("nodes", json!({"metadata": {"name": "n1", "uid": "n1"}}));
    fake.bookmark();
    // The bookmark is on its way before the connection breaks.
    tokio::time::sleep(Duration::from_millis(200)).await;
    fake.break_watches();
    until("a new watch", || requests(&fake, "pods", Verb::Watch).len() == 2).await;
    assert_eq!(requests(&fake, "pods", Verb::Watch)[1].after, Some(listed + 1));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_made_up_for_by_a_new_list() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    fake.garble_watches("pods");
    fake.delete("pods", "shop", "a");
    until("a new list", || requests(&fake, "pods", Verb::List).len() == 2).await;
    until("a is gone", || is_ended(&inventory, "a")).await;
    assert_eq!(requests(&fake, "nodes", Verb::List).len(), 1, "others go on");
}

#[tokio::test]
async fn malformed_and_failing_answers_are_asked_for_again_while_others_go_on() {
    let fake = three_pods().await;
    fake.fail("pods", Verb::List, Fault::Garbled, 1);
    fake.fail("pods", Verb::List, Fault::Status(500), 1);
    let (inventory, _watchers) = follow(&fake);
    let missing = || inventory.ready().err().unwrap_or_default();
    let pods = NotSynced { kind: Kind::Pods, refused: false };
    until("the others are listed", || missing() == [pods]).await;
    until("pods are listed", || inventory.ready().is_ok()).await;
    assert_eq!(inventory.pods().len(), 3);
}

#[tokio::test]
async fn a_slow_answer_holds_up_nobody_else() {
    let fake = three_pods().await;
    fake.fail("nodes", Verb::List, Fault::Slow(Duration::from_millis(700)), 1);
    let (inventory, _watchers) = follow(&fake);
    let missing = || inventory.ready().err().unwrap_or_default();
    let nodes = NotSynced { kind: Kind::Nodes, refused: false };
    until("the others are listed", || missing() == [nodes]).await;
    assert_eq!(inventory.pods().len(), 3);
    until("nodes are listed", || inventory.ready().is_ok()).await;
    assert_eq!(requests(&fake, "nodes", Verb::List).len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_asked_for_again() {
    let fake = three_pods().await;
    fake.fail("pods", Verb::List, Fault::Silent, 1);
    fake.fail("pods", Verb::Watch, Fault::Silent, 1);
    let client = impatient_client(&fake.url(), Duration::from_secs(1));
    let (inventory, _watchers) = Inventory::following(&client);
    until("pods are listed", || inventory.ready().is_ok()).await;
    fake.put("pods", pod("d", "d", "n1"));
    until("d is there", || is_present(&inventory, "d")).await;
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let fake = FakeKubernetes::start().await;
    fake.make_up("pods", 1234, |i| pod(&format!("p{i}"), &format!("u{i}"), "n1").to_string());
    let (inventory, _watchers) = synced(&fake).await;
    assert_eq!(inventory.pods().len(), 1234);
    let pages = requests(&fake, "pods", Verb::List);
    assert!(pages.iter().all(|page| page.limit == Some(500)));
    let continues: Vec<bool> = pages.iter().map(|page| page.continues).collect();
    assert_eq!(continues, [false, true, true]);
}

#[tokio::test]
async fn a_list_that_cannot_be_continued_begins_again() {
    let fake = FakeKubernetes::start().await;
    fake.make_up("pods", 1234, |i| pod(&format!("p{i}"), &format!("u{i}"), "n1").to_string());
    fake.fail("pods", Verb::List, Fault::Slow(Duration::ZERO), 1);
    fake.fail("pods", Verb::List, Fault::Status(410), 1);
    let (inventory, _watchers) = synced(&fake).await;
    assert_eq!(inventory.pods().len(), 1234);
    assert_eq!(inventory.namespace("shop").unwrap().pods.present, 1234);
    let pages = requests(&fake, "pods", Verb::List);
    let continues: Vec<bool> = pages.iter().map(|page| page.continues).collect();
    assert_eq!(continues, [false, true, false, true, true]);
}

#[tokio::test]
async fn owners_are_asked_for_by_metadata_only() {
    let fake = FakeKubernetes::start().await;
    fake.load(&Fixture::captured());
    let (_inventory, _watchers) = synced(&fake).await;
    let whole: Vec<String> = fake
        .requests()
        .into_iter()
        .filter(|request| !request.metadata_only)
        .map(|request| request.resource)
        .collect();
    assert!(whole.iter().all(|resource| resource == "pods" || resource == "nodes"), "{whole:?}");
}

#[tokio::test]
async fn the_api_server_is_asked_no_more_where_there_are_more_nodes() {
    let mut made = Vec::new();
    for nodes in [1, 300] {
        let fake = FakeKubernetes::start().await;
        fake.make_up("nodes", nodes, |i| {
            json!({"metadata": {"name": format!("n{i}"), "uid": format!("n{i}")}}).to_string()
        });
        let (inventory, _watchers) = synced(&fake).await;
        assert_eq!(inventory.nodes().len(), nodes);
        made.push(fake.requests().len());
    }
    assert_eq!(made, [18, 18], "a list and a watch for each of nine kinds");
}

#[tokio::test]
async fn stopping_ends_every_watch() {
    let fake = three_pods().await;
    let (inventory, watchers) = synced(&fake).await;
    watchers.stop().await;
    until("nobody watches", || Kind::ALL.iter().all(|kind| fake.watches(kind.as_str()) == 0)).await;
    assert_eq!(inventory.pods().len(), 3, "what was known stays");
}

#[tokio::test]
async fn while_the_api_is_away_what_is_known_is_not_current() {
    let fake = three_pods().await;
    let (inventory, _watchers) = synced(&fake).await;
    assert!(inventory.is_current());
    fake.go_away();
    until("it is away", || !inventory.is_current()).await;
    assert_eq!(inventory.pods().len(), 3, "what is known stays");
    fake.come_back();
    fake.put("pods", pod("d", "d", "n2"));
    until("it is back", || inventory.is_current() && is_present(&inventory, "d")).await;
}
