//! How much of a group of pods was heard of, and what that makes of its sums.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use kubemonitor_inventory::PodSums;
use kubemonitor_model::UnixMillis;
use kubemonitor_store::{GroupSample, TimeRange};

use super::presence::Knowledge;
use crate::{
    model::{Coverage, GroupReading},
    monitor::{Monitor, now},
};

/// How far before the newest sample of a silent group its last whole sum may be: nodes fall silent one
/// after the other.
const LAST_SUM_WITHIN_MS: i64 = 60_000;

/// What was heard of nodes lately, looked up once for all groups of a list.
pub(super) struct Reporting<'a> {
    monitor: &'a Monitor,
    knowledge: Knowledge,
    nodes: RefCell<HashMap<Arc<str>, bool>>,
}

impl<'a> Reporting<'a> {
    pub(super) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, knowledge: Knowledge::of_pods(monitor), nodes: RefCell::default() }
    }

    pub(super) fn monitor(&self) -> &'a Monitor {
        self.monitor
    }

    fn includes(&self, node: &Arc<str>) -> bool {
        *self.nodes.borrow_mut().entry(Arc::clone(node)).or_insert_with(|| {
            let name = node.parse().ok();
            let is_silent =
                name.and_then(|name| self.monitor.store.node(&name, |view| view.stale(now())));
            is_silent == Some(false)
        })
    }

    /// How many of a group's nodes were heard of.
    pub(super) fn coverage(&self, nodes: &HashSet<Arc<str>>) -> Coverage {
        let reporting = nodes.iter().filter(|node| self.includes(node)).count();
        let stale = reporting == 0 && !nodes.is_empty();
        Coverage { nodes: nodes.len() as u64, reporting: reporting as u64, stale }
    }

    /// What to show of the sums under this key, and whether that is of before its nodes fell silent.
    /// Silence is never shown as 0: 0 is what is known to be nothing. `claims` are those of its pods,
    /// where the group is known.
    pub(super) fn sum(
        &self,
        key: &str,
        claims: Option<&PodSums>,
        coverage: Coverage,
    ) -> (GroupReading, Coverage) {
        let sum = self.monitor.store.group(key);
        if let Some(sum) = sum.filter(|sum| sum.pods > 0) {
            return (GroupReading::Sum(sum), coverage);
        }
        let is_silent = coverage.reporting < coverage.nodes;
        if self.knowledge == Knowledge::Current && !is_silent {
            let reading = match claims {
                Some(claims) if claims.running == 0 => GroupReading::of_nobody(now(), sum.as_ref()),
                _ => GroupReading::Empty(now()),
            };
            return (reading, coverage);
        }
        match sum.and_then(|sum| last_whole(self.monitor, key, sum.at)) {
            Some(last) => (GroupReading::Sum(last), Coverage { stale: true, ..coverage }),
            None => (GroupReading::Empty(now()), coverage),
        }
    }
}

/// The last sum over most of a group's pods.
fn last_whole(monitor: &Monitor, key: &str, newest: UnixMillis) -> Option<GroupSample> {
    let range = TimeRange { from: newest.minus(LAST_SUM_WITHIN_MS), to: newest };
    let sums = monitor.store.group_window(key, range);
    sums.into_iter().max_by_key(|sum| (sum.pods, sum.at))
}

#[cfg(test)]
mod tests {
    use kubemonitor_inventory::{Inventory, Kind, Object, Observation, PodMeta};
    use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Access, Settings, Storage, joins,
        query::{self, Entity, When, params::tests::ask},
    };

    const STEP: i64 = 5000;

    fn pod_on(node: &str) -> PodMeta {
        let uid = EntityId::parse(&format!("pod on {node}"));
        PodMeta {
            uid: uid.clone(),
            api_uid: uid,
            namespace: "shop".into(),
            name: format!("pod-{node}").into(),
            node: Some(node.into()),
            phase: Some(kubemonitor_inventory::Phase::Running),
            ready: Some(true),
            reason: None,
            qos: None,
            owner: None,
            workload: None,
            labels: None,
            host_network: None,
            created_at: None,
            ended_at: None,
            containers: Box::default(),
            requests: kubemonitor_inventory::Resources::default(),
            limits: kubemonitor_inventory::Resources::default(),
            restarts: None,
        }
    }

    /// A server whose cluster says that the namespace `shop` has a pod on each of these nodes.
    fn monitor(nodes: &[&str]) -> Monitor {
        let inventory = Inventory::of_cluster();
        let at = now();
        let namespace = Object {
            uid: EntityId::parse("shop"),
            namespace: "shop".into(),
            name: "shop".into(),
            created_at: Some(at),
            owner: None,
        };
        inventory.observe(Observation::Namespace(namespace), at);
        for node in nodes {
            inventory.observe(Observation::Pod(pod_on(node)), at);
        }
        inventory.observe(Observation::ListingEnds(Kind::Pods), at);
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            storage: Storage {
                memory: crate::MemoryLimit::Off,
                limits: kubemonitor_store::Settings::default(),
                disk: None,
            },
            access: Access::Open,
            base_path: crate::Prefix::default(),
            allowed_hosts: crate::AllowedHosts::Any,
            cluster: None,
            metrics_api: None,
            log: String::new(),
        };
        let monitor = Monitor::open(&settings, inventory).unwrap();
        for pod in monitor.inventory.pods() {
            joins::join(&monitor.store, &pod);
        }
        monitor
    }

    /// Three ticks of a node, the last one so long ago, in which its pod used 100 millicores.
    fn measure(monitor: &Monitor, node: &str, ago_ms: i64) {
        let last = now().0.div_euclid(STEP) * STEP - ago_ms;
        for nth in 1..=3 {
            let at = UnixMillis(last - (3 - nth) * STEP);
            let mut row = Row::new(EntityKind::Pod);
            row.set(Metric::CpuUsage, Some(nth.unsigned_abs() * 500_000_000));
            row.set(Metric::MemoryWorkingSet, Some(1 << 20));
            let id = EntityId::parse(&format!("pod on {node}"));
            let tick = Tick {
                node: node.parse().unwrap(),
                instance: 1,
                sequence: nth.unsigned_abs(),
                at,
                read_delay_us: 0,
                interval_ms: STEP.unsigned_abs(),
                rows: vec![EntityRow { id, parent: None, qos: None, newborn: false, row }],
            };
            monitor.store.ingest(&tick, at).unwrap();
        }
        monitor.store.sweep(now());
    }

    /// What is said of the namespace.
    fn shop(monitor: &Monitor) -> Value {
        let namespace = query::namespace(monitor, "shop").unwrap();
        serde_json::to_value(namespace.newest(monitor)).unwrap()
    }

    fn said(monitor: &Monitor) -> Value {
        let fields = ["pod_count", "cpu_millicores", "nodes_total", "nodes_reporting", "stale"];
        let shop = shop(monitor);
        fields.map(|field| shop[field].clone()).into_iter().collect()
    }

    #[test]
    fn what_all_nodes_report_is_whole() {
        let monitor = monitor(&["a", "b"]);
        measure(&monitor, "a", 0);
        measure(&monitor, "b", 0);
        assert_eq!(said(&monitor), json!([2, 200.0, 2, 2, false]));
    }

    #[test]
    fn where_some_nodes_are_silent_the_sum_says_from_how_many_it_is() {
        let monitor = monitor(&["a", "b"]);
        measure(&monitor, "a", 300_000);
        measure(&monitor, "b", 0);
        assert_eq!(said(&monitor), json!([1, 100.0, 2, 1, false]));
    }

    #[test]
    fn where_all_are_silent_the_last_sum_is_shown_as_of_its_time() {
        let monitor = monitor(&["a", "b"]);
        measure(&monitor, "a", 305_000);
        measure(&monitor, "b", 300_000);
        assert_eq!(said(&monitor), json!([2, 200.0, 2, 0, true]));
        let at = crate::model::timestamp::parse(shop(&monitor)["timestamp"].as_str().unwrap());
        let ago = now().since(at.unwrap());
        assert!((300_000..330_000).contains(&ago), "{ago} ms ago");
        let mut by_use = ask::<query::PageParams>("sort=-cpu").unwrap().selection();
        query::namespaces(&monitor, When::Newest, &mut by_use);
        assert_eq!(query::Listed::rank(&by_use.page().items[0]), None, "it comes last");
    }

    #[test]
    fn what_was_never_measured_is_not_known() {
        let monitor = monitor(&["a"]);
        assert_eq!(said(&monitor), json!([null, null, 1, 0, true]));
    }

    #[test]
    fn what_is_known_to_have_no_pods_uses_nothing() {
        let monitor = monitor(&[]);
        assert_eq!(said(&monitor), json!([0, 0.0, 0, 0, false]));
        // Once Kubernetes does not answer, nobody knows.
        monitor.inventory.observe(Observation::Interrupted(Kind::Pods), now());
        assert_eq!(said(&monitor), json!([null, null, 0, 0, false]));
    }

    #[test]
    fn pods_on_silent_nodes_are_stale_and_come_last() {
        let monitor = monitor(&["a", "b"]);
        measure(&monitor, "a", 300_000);
        measure(&monitor, "b", 0);
        let mut by_use = ask::<query::PageParams>("sort=-cpu").unwrap().selection();
        let (scope, filter) = (query::Scope::Cluster, query::PodParams::default());
        query::pods(&monitor, scope, &filter, When::Newest, &mut by_use);
        let pods = by_use.page().items.into_iter();
        let pods: Vec<Value> =
            pods.map(|pod| serde_json::to_value(pod.newest(&monitor)).unwrap()).collect();
        assert_eq!(pods[1]["node_name"], "a", "it comes last");
        let of = |node: &str| pods.iter().find(|pod| pod["node_name"] == node).unwrap();
        let said = |pod: &Value| (pod["stale"].clone(), pod["ended"].clone());
        assert_eq!(said(of("a")), (json!(true), json!(false)));
        assert_eq!(said(of("b")), (json!(false), json!(false)));
        assert_eq!(of("a")["cpu_millicores"], 100.0, "the last that was measured");
    }

    #[test]
    fn a_silent_nodes_counts_are_the_last_ones() {
        let monitor = monitor(&["a"]);
        measure(&monitor, "a", 300_000);
        let node =
            serde_json::to_value(query::node(&monitor, "a").unwrap().newest(&monitor)).unwrap();
        assert_eq!((&node["stale"], &node["pod_count"]), (&json!(true), &json!(1)));
    }
}
