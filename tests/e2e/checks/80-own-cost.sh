#!/usr/bin/env bash
# kubemonitor itself: within its limits, never restarted, quiet.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

ours='app in (resource-collector,monitor-api)'

# Means over some minutes, and the largest memory, by its own measure.
costs() {
  ask "/api/namespaces/$E2E_MONITOR/pods?window=300&labelSelector=$(jq --null-input --raw-output --arg text "$ours" '$text | @uri')" |
    jq 'map({pod_name, node_name,
      cpu: ([.samples[].cpu_millicores | numbers] | add / length),
      memory: ([.samples[].memory_used_bytes | numbers] | max),
      cpu_limit: .samples[-1].cpu_limit_millicores, memory_limit: .samples[-1].memory_limit_bytes})'
}

near_limits() {
  jq --raw-output '.[] | select(.cpu >= .cpu_limit or .memory > 0.5 * .memory_limit) | tostring' "$E2E_WORK/costs"
}

restarted() {
  kubectl --namespace "$E2E_MONITOR" get pods --selector "$ours" --output json | jq --raw-output '
    .items[] | .metadata.name as $pod | .status.containerStatuses[] | select(.restartCount > 0)
    | "\($pod): \(.restartCount) restarts, \(.lastState)"'
}

# What they have warned of since the suite began.
complaints() {
  local pod
  for pod in $(kubectl --namespace "$E2E_MONITOR" get pods --selector "$ours" --output name); do
    kubectl --namespace "$E2E_MONITOR" logs --since-time "$E2E_BEGAN" "$pod" | grep --extended-regexp 'ERROR|WARN|panicked' |
      sed "s|^|$pod: |" || true
  done
}

costs >"$E2E_WORK/costs"
holds "every pod of kubemonitor stays below its CPU limit and half of its memory limit" near_limits
jq --raw-output '.[] | "         \(.pod_name) on \(.node_name): \(.cpu * 10 | round / 10) m, \(.memory / 104857.6 | round / 10) MiB"' "$E2E_WORK/costs"
holds "no pod of kubemonitor restarted by itself" restarted
holds "their logs complain of nothing" complaints
