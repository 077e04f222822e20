#!/usr/bin/env bash
# A pod that waits for a node: known to Kubernetes, measured by nobody.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

# Nothing is known of its use: null, not 0.
not_waiting() {
  wrong 'map(select(.deployment == "waiting"))
    | if map([.pod_count, .cpu_millicores, .memory_used_bytes]) == [[0, null, null]] then empty else tostring end' \
    "$own/deployments"
}

listed() { wrong '.[] | select(.deployment == "waiting") | "\(.pod_name) is listed"' /api/pods; }

# Its neighbours are told as before.
untold_neighbours() {
  wrong 'if map(.deployment) | contains(["spread"]) then empty else tostring end' "$own/deployments"
}

apply waiting.yaml
holds_within 30 "a deployment whose pod waits for a node is told, with nothing known of it" not_waiting
holds "so are those beside it" untold_neighbours
holds "a pod that waits is not among those that run" listed
in_own delete deployment waiting >/dev/null
