//! What the contract promises: paths of the captured cluster, and fields.

/// How a path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Entities; over time, each with its samples.
    List,
    /// One entity; over time, its samples.
    One,
}

const TRAFFIC: &str = "disk_read_bytes disk_write_bytes disk_read_bytes_per_second \
    disk_write_bytes_per_second network_rx_bytes network_tx_bytes network_rx_bytes_per_second \
    network_tx_bytes_per_second";
const NODE: &str = "timestamp node_name cpu_usage_percent cpu_millicores cpu_capacity_millicores \
    memory_used_mb memory_used_bytes memory_total_bytes memory_available_bytes \
    memory_working_set_bytes load1 load5 load15 pod_count container_count ready stale";
const POD: &str = "timestamp namespace pod_name node_name deployment workload_kind workload_name \
    phase qos_class cpu_millicores cpu_limit_millicores cpu_request_millicores \
    cpu_throttled_percent memory_used_mb memory_used_bytes memory_rss_bytes memory_limit_bytes \
    memory_request_bytes restarts oom_kills container_count ready reason ended stale";
const CONTAINER: &str = "timestamp namespace pod_name node_name deployment workload_kind \
    workload_name container_name container_id image cpu_millicores cpu_limit_millicores \
    cpu_request_millicores cpu_throttled_percent memory_used_mb memory_used_bytes memory_rss_bytes \
    memory_limit_bytes memory_request_bytes restarts oom_kills ended stale disk_read_bytes disk_write_bytes \
    disk_read_bytes_per_second disk_write_bytes_per_second";
const GROUP: &str = "timestamp namespace pod_count nodes_total nodes_reporting stale cpu_millicores cpu_request_millicores \
    cpu_limit_millicores memory_used_mb memory_used_bytes memory_request_bytes memory_limit_bytes";

/// What the objects of one schema are promised to have.
pub(crate) fn fields(schema: &str) -> Vec<&'static str> {
    let parts: &[&str] = match schema {
        "NodeSample" => &[NODE, TRAFFIC],
        "PodSample" => &[POD, TRAFFIC],
        "ContainerSample" => &[CONTAINER],
        "NamespaceSample" => &[GROUP, TRAFFIC],
        "DeploymentSample" => &[GROUP, TRAFFIC, "deployment"],
        "WorkloadSample" => &[GROUP, TRAFFIC, "workload_kind workload_name"],
        other => panic!("{other} is in no contract"),
    };
    parts.iter().flat_map(|part| part.split_whitespace()).collect()
}

/// Every path that answers with samples, about the captured cluster; how, and with which.
pub(crate) const PATHS: [(&str, Shape, &str); 17] = [
    ("/api/nodes", Shape::List, "NodeSample"),
    ("/api/nodes/lab-node", Shape::One, "NodeSample"),
    ("/api/nodes/lab-node/pods", Shape::List, "PodSample"),
    ("/api/pods", Shape::List, "PodSample"),
    ("/api/pods/db-0", Shape::One, "PodSample"),
    ("/api/namespaces", Shape::List, "NamespaceSample"),
    ("/api/namespaces/shop", Shape::One, "NamespaceSample"),
    ("/api/namespaces/shop/pods", Shape::List, "PodSample"),
    ("/api/namespaces/shop/pods/db-0", Shape::One, "PodSample"),
    ("/api/namespaces/shop/pods/db-0/containers", Shape::List, "ContainerSample"),
    ("/api/namespaces/shop/deployments", Shape::List, "DeploymentSample"),
    ("/api/namespaces/shop/deployments/web", Shape::One, "DeploymentSample"),
    ("/api/namespaces/shop/deployments/web/pods", Shape::List, "PodSample"),
    ("/api/namespaces/shop/workloads", Shape::List, "WorkloadSample"),
    ("/api/namespaces/shop/workloads/StatefulSet/db", Shape::One, "WorkloadSample"),
    ("/api/namespaces/shop/workloads/StatefulSet/db/pods", Shape::List, "PodSample"),
    ("/api/namespaces/shop/workloads/Pod/bare/pods", Shape::List, "PodSample"),
];
