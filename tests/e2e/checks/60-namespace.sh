#!/usr/bin/env bash
# A deployment that is deleted, and then its namespace.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

gone=$E2E_NAMESPACE-gone

unlike_two_pods() {
  wrong '.[] | select(.pod_count != 2 or .memory_used_bytes == null) | "\(.pod_count) pods, \(.memory_used_bytes) bytes"' \
    "/api/namespaces/$gone"
}

deployment_still_there() { wrong '.[] | "\(.deployment) is listed"' "/api/namespaces/$gone/deployments"; }

still_there() {
  wrong '.[] | select(.namespace == $gone) | "it is listed"' /api/namespaces --arg gone "$gone"
  wrong '.[] | select(.namespace == $gone) | "\(.pod_name) is listed"' /api/pods --arg gone "$gone"
}

forgotten() {
  wrong 'if any(.pod_count == 2 and .memory_used_bytes > 0) then empty else "\(length) samples" end' \
    "/api/namespaces/$gone?window=300"
  wrong 'if length == 2 then empty else "\(length) pods" end' "/api/namespaces/$gone/pods?window=300"
}

kubectl create namespace "$gone" >/dev/null
apply brief.yaml "$gone"
kubectl --namespace "$gone" rollout status --timeout 300s deployment/brief >/dev/null
holds_within 60 "a new namespace has its pods" unlike_two_pods
kubectl --namespace "$gone" delete deployment brief >/dev/null
holds_within 60 "a deleted deployment is listed no more" deployment_still_there
kubectl delete namespace "$gone" >/dev/null
holds_within 60 "a deleted namespace and its pods are listed no more" still_there
holds "its past is still told" forgotten
