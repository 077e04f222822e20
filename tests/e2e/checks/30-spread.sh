#!/usr/bin/env bash
# A deployment spread over nodes is the sum of both halves.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

spread_over() { ask "$own/deployments/spread/pods" | jq 'map(.node_name) | unique | length'; }

# Pods' samples of one tick carry the same timestamp on every node, so the sums are exact. The newest
# ticks are left out: one node's half may be on its way.
unlike_their_sum() {
  jq --null-input --raw-output -L "$E2E_HERE/lib" --slurpfile pods <(ask "$own/deployments/spread/pods?window=60") \
    --slurpfile whole <(ask "$own/deployments/spread?window=60") '
    include "compare";
    ($pods[0] | length) as $count
    | ($pods[0] | map(.samples[]) | group_by(.timestamp) | map(select(length == $count)
        | {key: .[0].timestamp, value: {cpu: map(.cpu_millicores) | add, memory: map(.memory_used_bytes) | add}})
      | from_entries) as $sums
    | [$whole[0][:-3][] | select($sums[.timestamp]) | {sample: ., sum: $sums[.timestamp]}]
    | if length < 3 then "only \(length) ticks in common" else
        .[] | select(.sample.pod_count != $count or .sample.memory_used_bytes != .sum.memory
          or (.sample.cpu_millicores - .sum.cpu | fabs) > 0.01 * .sum.cpu + 0.1)
        | "\(.sample.timestamp): \(.sample | [.pod_count, .cpu_millicores, .memory_used_bytes]), sum of \($count) pods: \(.sum)"
      end'
}

nodes=$(spread_over)
if ((nodes > 1)); then
  holds "a deployment on $nodes nodes is at every tick the sum of its pods" unlike_their_sum
else
  skipped "a deployment over several nodes: this cluster put both pods on one"
  holds "a deployment is at every tick the sum of its pods" unlike_their_sum
fi
