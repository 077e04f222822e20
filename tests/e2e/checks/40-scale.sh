#!/usr/bin/env bash
# Scaling up and down.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

scale() {
  in_own scale deployment/spread --replicas "$1" >/dev/null
  rolled_out deployment/spread
}

# wrong_pods COUNT: the deployment has so many pods, listed and counted, and all are measured.
wrong_pods() {
  wrong 'if length != $count then "\(length) pods are listed"
    else .[] | select(.cpu_millicores == null or .ended) | "\(.pod_name) is not measured, or ended" end' \
    "$own/deployments/spread/pods" --argjson count "$1"
  wrong '.[] | select(.pod_count != $count) | "\(.pod_count) pods are counted"' \
    "$own/deployments/spread" --argjson count "$1"
}

# What was sent and received in sum, over the pods that there were: it may only rise.
falling_totals() {
  wrong '[.[] | .network_rx_bytes + .network_tx_bytes] as $totals
    | range(1; $totals | length) | select($totals[.] < $totals[. - 1])
    | "from \($totals[. - 1]) to \($totals[.])"' "$own/deployments/spread?window=300"
}

scale 4
holds_within 90 "scaled up: the deployment has 4 pods, all measured" wrong_pods 4
before=$(in_own get pods --selector app=spread --output jsonpath='{.items[*].metadata.name}')
scale 1
holds_within 90 "scaled down: the deployment has 1 pod" wrong_pods 1
left=$(in_own get pods --selector app=spread --output jsonpath='{.items[*].metadata.name}')
for pod in $before; do
  [[ " $left " != *" $pod "* ]] || continue
  holds "the past of $pod, which is gone, is still told" \
    wrong 'if map(select(.ended and (.memory_used_bytes // 0) > 0)) == [] then "\(length) samples" else empty end' \
    "$own/pods/$pod?window=300"
done
holds "what the deployment sent and received never fell" falling_totals
scale 2
