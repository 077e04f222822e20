//! A server that follows a captured cluster.

use kube::{Client, Config};
use kubemonitor_api::Settings;
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fixture};
use kubemonitor_inventory::{Inventory, Watchers};
use kubemonitor_model::{EntityRow, Metric, Tick};
use serde_json::Value;

use super::{Running, container, node, pod, recent, settings, tick};

/// The captured cluster of two nodes and 15 pods, 14 of which run, and a server that follows it.
pub(crate) struct Captured {
    pub(crate) kubernetes: FakeKubernetes,
    pub(crate) server: Running,
    pub(crate) watchers: Watchers,
}

/// What each pod and each of its containers has used at a tick.
const CPU_NANOS_PER_TICK: u64 = 500_000_000;
const MEMORY_BYTES: u64 = 10 << 20;
const BYTES_PER_TICK: u64 = 5000;

impl Captured {
    /// A server that knows the cluster and has measured nothing.
    pub(crate) async fn start() -> Self {
        Self::with(&settings()).await
    }

    /// The captured cluster, watched by a server with these settings.
    pub(crate) async fn with(settings: &Settings) -> Self {
        let kubernetes = FakeKubernetes::start().await;
        kubernetes.load(&Fixture::captured());
        let client = Client::try_from(Config::new(kubernetes.url().parse().unwrap())).unwrap();
        let (inventory, watchers) = Inventory::following(&client);
        let server = Running::asking(settings, inventory, Some(client)).await;
        server.eventually("/ready", |answer| answer["status"] == "ready").await;
        Self { kubernetes, server, watchers }
    }

    /// The captured cluster after `ticks` ticks of both nodes' collectors: each pod uses 100 millicores, 10 MiB
    /// and 1,000 bytes a second of each kind of traffic.
    pub(crate) async fn measured(ticks: i64) -> Self {
        let captured = Self::start().await;
        captured.ticks(ticks).await;
        captured
    }

    /// So many ticks, the last one now.
    pub(crate) async fn ticks(&self, ticks: i64) {
        for ago in (0..ticks).rev() {
            self.measure(ago, ticks - ago, |_| true).await;
        }
    }

    /// One tick of both nodes, `ago` intervals ago and the `nth` of all, with the pods that are
    /// `there`.
    pub(crate) async fn measure(&self, ago: i64, nth: i64, there: impl Fn(&Value) -> bool) {
        self.measure_on(&["lab-node", "lab-v2"], ago, nth, there).await;
    }

    /// One such tick of some nodes alone.
    pub(crate) async fn measure_on(
        &self,
        nodes: &[&str],
        ago: i64,
        nth: i64,
        there: impl Fn(&Value) -> bool,
    ) {
        let nth = u64::try_from(nth).unwrap();
        for &name in nodes {
            let used_by_node = [
                (Metric::CpuUsage, nth * 4 * CPU_NANOS_PER_TICK),
                (Metric::MemoryWorkingSet, 100 * MEMORY_BYTES),
            ];
            let mut rows = vec![node(name, &used_by_node)];
            let pods = &Fixture::captured().lists["pods"];
            let running = |pod: &&Value| {
                pod["spec"]["nodeName"] == name && pod["status"]["phase"] == "Running"
            };
            let mut containers = Vec::new();
            for found in pods.iter().filter(running).filter(|pod| there(pod)) {
                let place = u32::try_from(rows.len()).unwrap();
                rows.push(used(pod(found["metadata"]["uid"].as_str().unwrap(), &[]), nth));
                for id in container_ids(found) {
                    containers.push(used(container(&id, place, &[]), nth));
                }
            }
            rows.extend(containers);
            // A collector that ticks once a minute may be ahead by two.
            let interval_ms = if ago < 0 { 60_000 } else { 5000 };
            let tick = Tick { interval_ms, ..tick(name, recent(ago), rows) };
            self.server.tick(&tick).await;
        }
    }
}

fn used(mut entity: EntityRow, nth: u64) -> EntityRow {
    for (metric, value) in [
        (Metric::CpuUsage, nth * CPU_NANOS_PER_TICK),
        (Metric::MemoryWorkingSet, MEMORY_BYTES),
        (Metric::DiskReadBytes, nth * BYTES_PER_TICK),
        (Metric::DiskWriteBytes, nth * BYTES_PER_TICK),
        (Metric::NetworkRxBytes, nth * BYTES_PER_TICK),
        (Metric::NetworkTxBytes, nth * BYTES_PER_TICK),
    ] {
        entity.row.set(metric, Some(value));
    }
    entity
}

/// The containers that run, and the sandbox, which no status names.
fn container_ids(pod: &Value) -> Vec<String> {
    let statuses = ["containerStatuses", "initContainerStatuses"]
        .into_iter()
        .flat_map(|field| pod["status"][field].as_array().into_iter().flatten());
    let running = statuses.filter(|status| status["state"]["running"].is_object());
    let ids = running.map(|status| status["containerID"].as_str().unwrap());
    let sandbox = format!("{:0>64}", pod["metadata"]["uid"].as_str().unwrap().replace('-', ""));
    ids.map(|id| id.trim_start_matches("containerd://").to_owned()).chain([sandbox]).collect()
}
