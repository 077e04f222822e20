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

# summaries FILE: what every node's kubelet says of itself and its pods, as one JSON array. Fails with the
# node's name where one says nothing.
summaries() {
  local node summary all=()
  for node in $(nodes); do
    if ! summary=$(kubectl get --raw "/api/v1/nodes/$node/proxy/stats/summary" 2>&1); then
      echo "FAILED: node $node gives no summary: $summary" >&2
      return 1
    fi
    all+=("$summary")
  done
  printf '%s\n' "${all[@]}" | jq --slurp . >"$1"
}

# The label by which node $1 is chosen, where a pod may run on it without tolerating anything.
hostname_of_free() {
  kubectl get node "$1" --output json | jq --raw-output '
    select((.spec.unschedulable | not) and all(.spec.taints[]?; .effect == "PreferNoSchedule")
      and any(.status.conditions[]; .type == "Ready" and .status == "True"))
    | .metadata.labels["kubernetes.io/hostname"] // empty'
}

# other_than NODE: the label of another node that takes pods; nothing where there is none.
other_than() {
  local node hostname
  for node in $(nodes); do
    [[ $node != "$1" ]] || continue
    hostname=$(hostname_of_free "$node")
    [[ -z $hostname ]] || { echo "$hostname" && return; }
  done
}

# Who serves metrics.k8s.io, as NAMESPACE/SERVICE; nothing where nobody does.
metrics_provider() {
  kubectl get apiservice v1beta1.metrics.k8s.io --ignore-not-found --output json | jq --raw-output '
    select(any(.status.conditions[]?; .type == "Available" and .status == "True"))
    | "\(.spec.service.namespace)/\(.spec.service.name)"'
}
