# shellcheck shell=bash
# Asking Kubernetes, and starting pods.

# apply FILE [NAMESPACE]: one of the suite's own manifests, with the image that was asked for.
apply() {
  sed "s|image: busybox$|image: $E2E_IMAGE|" "$E2E_HERE/workloads/$1" |
    kubectl apply --namespace "${2:-$E2E_NAMESPACE}" --filename - >/dev/null
}

# in_own COMMAND...: kubectl in the suite's namespace.
in_own() { kubectl --namespace "$E2E_NAMESPACE" "$@"; }

# rolled_out WORKLOAD: waits for it; slow nodes and images that must come first take their time.
rolled_out() { in_own rollout status --timeout 300s "$1" >/dev/null; }

nodes() { kubectl get nodes --output name | cut --delimiter / --fields 2; }

# summaries FILE: what every node's kubelet says of itself and its pods, as one JSON array.
summaries() {
  local node
  for node in $(nodes); do
    kubectl get --raw "/api/v1/nodes/$node/proxy/stats/summary"
  done | jq --slurp . >"$1"
}
