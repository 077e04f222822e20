#!/usr/bin/env bash
# The API server restarts: it answers again, and the numbers go on.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

monitor_pods() { kubectl --namespace "$E2E_MONITOR" get pods --selector app=monitor-api --output name; }

running() {
  kubectl get pods --all-namespaces --output json | jq '[.items[]
    | select(.status.phase == "Running" and .metadata.deletionTimestamp == null).metadata
    | {uid: (.annotations["kubernetes.io/config.hash"] // .uid), name: "\(.namespace)/\(.name)"}]'
}

# Pods may come and go meanwhile: all that run now are measured, and every node is fresh.
unmeasured() {
  wrong '[.[] | select(.cpu_millicores != null).uid] as $measured
    | $running[0][] | select(.uid | IN($measured[]) | not) | "\(.name) is not measured"' \
    /api/pods --slurpfile running <(running)
  wrong '.[] | select(.stale or .cpu_millicores == null) | "\(.node_name) is stale, or has no CPU"' /api/nodes
}

# A counter's start after a gap is no rate: nothing may use more than there is.
giants() {
  wrong '.[] | .node_name as $node | .samples[]
    | select((.cpu_usage_percent // 0) > 100 or (.cpu_millicores // 0) < 0
        or (.network_rx_bytes_per_second // 0) > 1e10 or (.disk_write_bytes_per_second // 0) > 1e10)
    | "\($node): \(.)"' "/api/nodes?window=300"
  wrong '.[] | .pod_name as $pod | .samples[] | select(.cpu_limit_millicores and (.cpu_millicores // 0) > 1.5 * .cpu_limit_millicores + 10)
    | "\($pod): \(.cpu_millicores) m, limit \(.cpu_limit_millicores) m"' "$own/pods?window=300"
}

for pod in $(monitor_pods); do
  kubectl --namespace "$E2E_MONITOR" delete "$pod" >/dev/null
done
back() {
  kubectl --namespace "$E2E_MONITOR" rollout status --timeout 300s deployment/monitor-api >/dev/null && is_ready
}

if ! eventually 300 back; then
  failed "the API server answers again"
  exit
fi
ok "the API server answers again"
holds_within 90 "every node and pod is measured again" unmeasured
holds "no rate is absurd after it" giants
