//! Prints what a cluster's API says of who runs where, and then what changes, until interrupted:
//! `KUBECONFIG=… cargo run -p kubemonitor-inventory --example follow`

use std::{env, error::Error, time::Duration};

use kubemonitor_inventory::{Cluster, Inventory, PodMeta};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let kubeconfig = env::var_os("KUBECONFIG");
    let service_host = env::var_os("KUBERNETES_SERVICE_HOST");
    let cluster = Cluster::chosen(kubeconfig.as_deref(), service_host.as_deref())
        .ok_or("no cluster: set KUBECONFIG")?;
    let (inventory, watchers) = Inventory::following(&cluster.connect().await?);
    while let Err(missing) = inventory.ready() {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        eprintln!("waiting for {}", missing.join("; "));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for node in inventory.nodes() {
        println!("node {} ready={:?} {:?}", node.name, node.ready, inventory.sums_on(&node.name));
    }
    for namespace in inventory.namespaces() {
        println!("namespace {} {:?}", namespace.name, namespace.pods);
        for workload in inventory.workloads(&namespace.name) {
            println!("  {} {} {:?}", workload.key.kind, workload.key.name, workload.pods);
        }
    }
    let mut changes = inventory.subscribe();
    loop {
        tokio::select! {
            news = changes.next() => {
                news.moved.iter().chain(&news.updated).for_each(|pod| print(pod));
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    watchers.stop().await;
    Ok(())
}

fn print(pod: &PodMeta) {
    let state = match (pod.ended_at, pod.phase) {
        (Some(_), _) => "gone",
        (None, phase) => phase.map_or("?", |phase| phase.as_str()),
    };
    let workload = pod.workload.as_ref().map(ToString::to_string);
    println!(
        "pod {} {}/{} on {} of {}: {state}",
        pod.uid,
        pod.namespace,
        pod.name,
        pod.node.as_deref().unwrap_or("no node"),
        workload.as_deref().unwrap_or("an owner not seen yet"),
    );
}
