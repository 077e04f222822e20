#!/usr/bin/env bash
# `kubectl top` and what is behind it, where metrics-api.yaml is applied.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

metrics() { kubectl get --raw "/apis/metrics.k8s.io/v1beta1/$1"; }

absent_nodes() {
  metrics nodes | jq --raw-output --slurpfile there <(ask /api/nodes) '
    [.items[].metadata.name] as $told | $there[0][].node_name | select(IN($told[]) | not)'
}

# Of pods none of whose containers runs at present nothing is told.
absent_pods() {
  metrics pods | jq --raw-output --slurpfile there <(ask /api/pods) '
    [.items[].metadata | "\(.namespace)/\(.name)"] as $told
    | $there[0][] | select(.container_count > 0) | "\(.namespace)/\(.pod_name)" | select(IN($told[]) | not)'
}

# Namespaced, chosen by label, and one by one; each pod with its containers and without its sandbox.
wrong_own() {
  metrics "namespaces/$E2E_NAMESPACE/pods?labelSelector=app%3Dspread" | jq --raw-output '
    if (.items | length) == 2 and all(.items[]; [.containers[].name] == ["burn"]) then empty else tostring end'
}

# The burning containers' memory is what kubemonitor says elsewhere (a pod's has its sandbox's as well), and
# they do use CPU.
wrong_figures() {
  local elsewhere=$E2E_WORK/containers
  ask "$own/deployments/spread/pods" | jq --raw-output '.[].pod_name' | while read -r pod; do
    ask "$own/pods/$pod/containers"
  done >"$elsewhere"
  metrics "namespaces/$E2E_NAMESPACE/pods?labelSelector=app%3Dspread" | jq --raw-output -L "$E2E_HERE/lib" \
    --slurpfile elsewhere "$elsewhere" 'include "compare";
    ($elsewhere | add | map(select(.container_name == "burn") | {key: .pod_name, value: .memory_used_bytes})
      | from_entries) as $memory
    | .items[] | .metadata.name as $pod | .containers[0].usage
    | select((.cpu | quantity) < 0.02 or (memory_is_close($memory[$pod]; .memory | quantity) | not))
    | "\($pod): \(.), elsewhere \($memory[$pod]) bytes"'
}

top() { # OPTIONS...: kubectl's own reading of it; prints only what goes wrong
  local told
  told=$(kubectl top "$@" --no-headers) || return
  [[ -n $told ]] || echo "kubectl top $* tells nothing"
}

told_by=$(metrics_provider)
if [[ $told_by != "$E2E_MONITOR/monitor-api-metrics" ]]; then
  skipped "kubectl top: metrics.k8s.io is served by ${told_by:-nobody}, not by kubemonitor (deploy/metrics-api.yaml)"
  exit
fi
holds_within 60 "metrics.k8s.io tells of every node" absent_nodes
holds_within 60 "metrics.k8s.io tells of every pod" absent_pods
holds "metrics.k8s.io chooses by namespace and label, and tells of each container" wrong_own
holds "its figures are those that kubemonitor tells elsewhere" wrong_figures
holds "kubectl top nodes" top nodes
holds "kubectl top pods --all-namespaces --containers" top pods --all-namespaces --containers
holds "kubectl top pods --selector" top pods --namespace "$E2E_NAMESPACE" --selector app=spread
