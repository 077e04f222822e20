//! What the tests against the in-process API server share.

use std::time::{Duration, Instant};

use kube::{Client, Config};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Request, Verb};
use kubemonitor_inventory::{Inventory, Watchers};
use serde_json::{Value, json};

/// A client that takes connections for dead when they are silent for so long.
pub(crate) fn impatient_client(url: &str, patience: Duration) -> Client {
    let mut config = Config::new(url.parse().unwrap());
    config.read_timeout = Some(patience);
    config.reset_reader_on_write = true;
    Client::try_from(config).unwrap()
}

pub(crate) fn follow(fake: &FakeKubernetes) -> (Inventory, Watchers) {
    let config = Config::new(fake.url().parse().unwrap());
    Inventory::following(&Client::try_from(config).unwrap())
}

/// An inventory that has listed everything there is.
pub(crate) async fn synced(fake: &FakeKubernetes) -> (Inventory, Watchers) {
    let (inventory, watchers) = follow(fake);
    until("everything is listed", || inventory.ready().is_ok()).await;
    let begun = || fake.requests().iter().filter(|request| request.verb == Verb::Watch).count();
    until("everything is watched", || begun() >= 9).await;
    (inventory, watchers)
}

/// Waits until something has become true.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(30), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The requests of one kind that were made of a resource.
pub(crate) fn requests(fake: &FakeKubernetes, resource: &str, verb: Verb) -> Vec<Request> {
    let mut requests = fake.requests();
    requests.retain(|request| request.resource == resource && request.verb == verb);
    requests
}

/// A running pod of namespace `shop`.
pub(crate) fn pod(name: &str, uid: &str, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": uid,
                     "creationTimestamp": "2026-11-23T19:26:38Z"},
        "spec": {"nodeName": node, "containers": [{"name": "app"}]},
        "status": {"phase": "Running"}
    })
}

/// An object like `object`, controlled by another.
pub(crate) fn owned_by(mut object: Value, api: &str, kind: &str, name: &str, uid: &str) -> Value {
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": true}]);
    object
}

/// An object of namespace `shop` that is known by name only.
pub(crate) fn named(name: &str, uid: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}})
}
