#!/usr/bin/env bash
# Every node is measured, and told apart from what Kubernetes only says of it.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

# Nodes with a collector: all but those that are no machines.
measured_nodes() {
  kubectl --namespace "$E2E_MONITOR" get pods --selector app=resource-collector \
    --output jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | jq --raw-input . | jq --slurp .
}

unmeasured() {
  wrong '($nodes[0] - map(.node_name))[] | "\(.) is not there"' /api/nodes --slurpfile nodes <(measured_nodes)
  wrong '.[] | select(.node_name | IN($nodes[][]))
    | select(.stale or (.ready | not) or .cpu_millicores == null or .memory_working_set_bytes == null
        or .network_rx_bytes == null or .disk_read_bytes == null)
    | tostring' /api/nodes --slurpfile nodes <(measured_nodes)
}

capacities() {
  kubectl get nodes --output json |
    jq '[.items[] | {key: .metadata.name, value: (.status.capacity.cpu | tonumber * 1000)}] | from_entries'
}

wrong_capacity() {
  wrong '.[] | $capacities[0][.node_name] as $theirs | select($theirs and .cpu_capacity_millicores != $theirs)
    | "\(.node_name): \(.cpu_capacity_millicores), Kubernetes: \($theirs)"' \
    /api/nodes --slurpfile capacities <(capacities)
}

wrong_counts() {
  wrong '.[] | .node_name as $name | ([$pods[][] | select(.node_name == $name)] | length) as $pods
    | select(.pod_count != $pods) | "\(.node_name): \(.pod_count) pods, listed: \($pods)"' \
    /api/nodes --slurpfile pods <(ask /api/pods)
}

holds_within 60 "every node is ready, fresh, and fully measured" unmeasured
holds "every node has the CPUs that Kubernetes says it has" wrong_capacity
holds_within 20 "every node counts the pods that are listed on it" wrong_counts
