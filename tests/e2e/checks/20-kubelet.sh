#!/usr/bin/env bash
# CPU and memory agree with every node's kubelet: CPU to 10 % or 10 millicores, memory to 5 % or a
# quarter MiB.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

# Long enough that kubelet's own housekeeping, each 10 to 15 s and never on our ticks, weighs little.
span_s=75
# Reaches from before the first summary to after the last, whatever asking has taken.
window_s=$((span_s + 120))

summaries "$E2E_WORK/before"
sleep "$span_s"
summaries "$E2E_WORK/after"
# The ticks after kubelet's last look have to arrive.
sleep 12
in_own get pods --output json >"$E2E_WORK/own_pods"
for what in nodes pods namespaces; do
  ask "/api/$what?window=$window_s" >"$E2E_WORK/$what"
done
ask "$own/deployments?window=$window_s" >"$E2E_WORK/deployments"

all=()
for what in before after own_pods nodes pods namespaces deployments; do
  all+=(--slurpfile "$what" "$E2E_WORK/$what")
done
jq --null-input "${all[@]}" --arg own "$E2E_NAMESPACE" '{before: $before[0], after: $after[0],
  own_pods: $own_pods[0], nodes: $nodes[0], pods: $pods[0], namespaces: $namespaces[0],
  deployments: $deployments[0], $own}' >"$E2E_WORK/both"

rows_of() { jq -L "$E2E_HERE/lib" "include \"kubelet\"; $1" "$E2E_WORK/both" >"$E2E_WORK/rows"; }

# agrees WHAT LIST UNIT: every row of the list, and that there is one; the two farthest are shown.
agrees() {
  rows_of "$2"
  holds "$1 agrees with kubelet" jq --raw-output --arg unit "$3" '
    if . == [] then "nothing to compare" else .[] | select(.close | not)
      | "\(.name): \(.kubemonitor) \($unit), kubelet: \(.kubelet) \($unit)" end' "$E2E_WORK/rows"
  jq --raw-output --arg unit "$3" 'def short: . * 100 | round / 100;
    length as $count | map(select(.kubemonitor)) | sort_by(.kubemonitor - .kubelet | -fabs) | .[:2]
    | map("\(.name) \(.kubemonitor | short) \($unit), kubelet \(.kubelet | short) \($unit)")
    | "         \($count) compared; farthest: \(join("; "))"' "$E2E_WORK/rows"
}

# sum_agrees WHAT LIST UNIT: the same of a sum over pods, which kubelets have to know all of.
sum_agrees() {
  rows_of "$2"
  if jq --exit-status '. == []' "$E2E_WORK/rows" >/dev/null; then
    skipped "$1: the summaries of the kubelets lack some of its pods"
  else
    agrees "$@"
  fi
}

agrees "CPU of each node" node_cpu m
agrees "memory of each node" node_memory MiB
agrees "CPU of each pod" pod_cpu m
agrees "memory of each pod" pod_memory MiB
sum_agrees "CPU of a namespace" namespace_cpu m
sum_agrees "memory of a namespace" namespace_memory MiB
sum_agrees "CPU of a deployment" deployment_cpu m
sum_agrees "memory of a deployment" deployment_memory MiB
