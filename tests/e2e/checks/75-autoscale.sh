#!/usr/bin/env bash
# A HorizontalPodAutoscaler that has nothing but kubemonitor's metrics.k8s.io.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

# Kubernetes looks each 15 s, and believes a pod's CPU only some time after the pod got ready.
limit_s=300

autoscaler() { in_own get horizontalpodautoscaler busy --output json; }

# It knows what the pods use: each burns 50 m of the 20 m that it asks for.
unseen_use() {
  autoscaler | jq --raw-output '[.status.currentMetrics[]?.resource.current.averageUtilization] as $seen
    | if any($seen[]; . != null and . > 100) then empty
      else "it saw \($seen): \([.status.conditions[]? | "\(.type) \(.status) \(.reason): \(.message)"])" end'
}

not_scaled() {
  in_own get deployment busy --output json | jq --raw-output 'select(.spec.replicas < 2) | "\(.spec.replicas) replicas"'
}

not_measured() {
  wrong 'map(select(.deployment == "busy" and .cpu_millicores != null))
    | if length < 2 then "\(length) of its pods are measured" else empty end' "$own/pods"
}

told_by=$(metrics_provider)
if [[ $told_by != "$E2E_MONITOR/monitor-api-metrics" ]]; then
  skipped "autoscaling: metrics.k8s.io is served by ${told_by:-nobody}, not by kubemonitor (deploy/metrics-api.yaml)"
  exit
fi
apply busy.yaml
began=$SECONDS
holds_within "$limit_s" "an autoscaler sees the CPU of a deployment" unseen_use
holds_within "$limit_s" "it scales the deployment up" not_scaled
printf '         scaled up after %s s, at %s %% of what was requested\n' "$((SECONDS - began))" \
  "$(autoscaler | jq '[.status.currentMetrics[]?.resource.current.averageUtilization | numbers] | max')"
holds_within 240 "the pods that it added are measured" not_measured
in_own delete horizontalpodautoscaler,deployment busy >/dev/null
in_own wait --for delete --timeout 120s pod --selector app=busy >/dev/null
