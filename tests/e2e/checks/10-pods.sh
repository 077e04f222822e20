#!/usr/bin/env bash
# The pods that kubemonitor finds are the pods that run, under their names, nodes and owners.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

# What Kubernetes says of pods that run. A static pod's cgroup carries the hash of its file, and so does
# kubemonitor; the API's own UID of it is the mirror's.
running() {
  jq --slurp '
    (.[1].items | map({key: .metadata.uid, value: .}) | from_entries) as $between
    | def controller: first((.metadata.ownerReferences[]? | select(.controller)), null);
      def top: if . and $between[.uid] then ($between[.uid] | controller) // . else . end;
    .[0].items | map(select(.status.phase == "Running") | (controller | top) as $owner | {
      namespace: .metadata.namespace,
      pod_name: .metadata.name,
      uid: (.metadata.annotations["kubernetes.io/config.hash"] // .metadata.uid),
      node_name: .spec.nodeName,
      workload_kind: (if $owner and $owner.kind != "Node" then $owner.kind else "Pod" end),
      workload_name: (if $owner and $owner.kind != "Node" then $owner.name else .metadata.name end),
      phase: .status.phase,
      qos_class: .status.qosClass,
      restarts: ([.status.containerStatuses[]?, .status.initContainerStatuses[]? | .restartCount] | add)
    })' <(kubectl get pods --all-namespaces --output json) \
    <(kubectl get replicasets,jobs --all-namespaces --output json)
}

# What is in one list and not in the other; a pod of which they differ in anything is in both.
differences() {
  jq --raw-output --slurp '
    .[0] as $theirs | (.[0][0] | keys) as $fields
    | (.[1] | map(with_entries(select(.key | IN($fields[]))))) as $ours
    | def show: "\(.namespace)/\(.pod_name) \(del(.namespace, .pod_name))";
      ($theirs - $ours | map("only Kubernetes:  " + show)[]),
      ($ours - $theirs | map("only kubemonitor: " + show)[])' <(running) <(ask /api/pods)
}

not_measured() {
  wrong '.[] | select(.cpu_millicores == null or (.memory_used_bytes // 0) == 0)
    | "\(.namespace)/\(.pod_name) on \(.node_name)"' /api/pods
}

on_host_network() {
  kubectl get pods --all-namespaces --output json | jq '[.items[] | select(.spec.hostNetwork).metadata
    | .annotations["kubernetes.io/config.hash"] // .uid]'
}

# Pods on the host's network have no network of their own: null, not 0 and not the node's. Nor can one
# be told of pods none of whose containers runs at present, as when they crash.
wrong_networks() {
  wrong '.[] | select(.container_count > 0) | (.uid | IN($host[][])) as $on_host
    | select((.network_rx_bytes == null) != $on_host or (.network_tx_bytes == null) != $on_host)
    | "\(.namespace)/\(.pod_name): on the host'\''s network: \($on_host), received: \(.network_rx_bytes)"' \
    /api/pods --slurpfile host <(on_host_network)
}

found() { ask /api/pods | jq length; }

holds_within 60 "pods found are the pods that run, with their names, nodes, owners and phases" differences
holds_within 60 "CPU and memory of each pod are measured" not_measured
holds_within 30 "pods on the host's network have no network of their own, and all others have" wrong_networks
printf '         %s pods\n' "$(found)"
