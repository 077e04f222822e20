# shellcheck shell=bash
# Putting kubemonitor and the suite's own pods into the cluster, and taking them out again.

# render DIR: what is to be applied, but for a namespace that is there already, which has to stay.
render() {
  local there others
  kubectl kustomize "$1" >"$E2E_WORK/monitor.yaml"
  there=$(kubectl get --ignore-not-found --output name --filename "$E2E_WORK/monitor.yaml")
  others=$(grep --invert-match '^namespace/' <<<"$there" || true)
  [[ -z $others ]] || die "in the cluster already, and not made by this run:" "$others" \
    "(--deployed checks the kubemonitor that is there)"
  if [[ -n $there ]]; then
    # `annotate --local` turns YAML into JSON; the annotation to take away is not there.
    kubectl annotate --local --output json --filename "$E2E_WORK/monitor.yaml" kubemonitor/none- |
      jq 'select(.kind != "Namespace")' >"$E2E_WORK/monitor.json"
    mv "$E2E_WORK/monitor.json" "$E2E_WORK/monitor.yaml"
  fi
}

install_monitor() { kubectl apply --filename "$E2E_WORK/monitor.yaml" >/dev/null; }

remove_monitor() {
  step "removing kubemonitor"
  kubectl delete --ignore-not-found --filename "$E2E_WORK/monitor.yaml" >/dev/null
}

namespace_of_monitor() {
  local namespaces
  namespaces=$(kubectl get deployments --all-namespaces --selector app=monitor-api \
    --output jsonpath='{range .items[*]}{.metadata.namespace}{"\n"}{end}')
  [[ -n $namespaces ]] || die "no Deployment with the label app=monitor-api is in the cluster"
  [[ $(wc -l <<<"$namespaces") == 1 ]] || die "kubemonitor is in several namespaces:" "$namespaces"
  echo "$namespaces"
}

wait_for_monitor() {
  local what
  for what in deployment/monitor-api daemonset/resource-collector; do
    kubectl --namespace "$E2E_MONITOR" rollout status --timeout 300s "$what" >/dev/null ||
      die "$what does not start: kubectl --namespace $E2E_MONITOR describe $what"
  done
  eventually 60 is_ready || die "the API does not answer, or is not ready: $(ask /ready 2>&1)"
}

start_workloads() {
  # It may be there already: from a run with --keep, or one that was killed.
  kubectl get namespace "$E2E_NAMESPACE" >/dev/null 2>&1 || kubectl create namespace "$E2E_NAMESPACE" >/dev/null
  # For the pods on the host's network.
  kubectl label namespace "$E2E_NAMESPACE" pod-security.kubernetes.io/enforce=privileged --overwrite >/dev/null
  apply steady.yaml
  local what
  for what in deployment/spread statefulset/ordered daemonset/host-network; do
    rolled_out "$what" || die "$what does not start: kubectl --namespace $E2E_NAMESPACE describe $what"
  done
  ok "the suite's pods run in namespace $E2E_NAMESPACE"
}

remove_workloads() {
  step "removing the suite's pods"
  kubectl delete namespace --ignore-not-found "$E2E_NAMESPACE" "$E2E_NAMESPACE-gone" >/dev/null
}
