# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the files of lib
# The cluster that kubectl reaches, and kubemonitor in it. Needs output.sh, cleanup.sh, http.sh. To be
# sourced.

# The cluster that 00-setup-all.sh makes has this name, so that taking it down takes down no other.
cluster_name=kubemonitor
default_namespace=kubemonitor

kube() { kubectl --request-timeout=20s "$@"; }

cluster_answers() { kubectl --request-timeout=5s get --raw /version >/dev/null 2>&1; }

# need_cluster: fails with a reason that helps.
need_cluster() {
  command -v kubectl >/dev/null || die "kubectl is missing here; scripts/01-setup-environment.sh installs it"
  cluster_answers || die "kubectl reaches no cluster: $(kubectl --request-timeout=5s get --raw /version 2>&1 | tail -1)"
}

# monitor_namespace: where kubemonitor is deployed; empty where it is not.
monitor_namespace() {
  kube get deployments --all-namespaces --selector app=monitor-api \
    --output 'jsonpath={.items[0].metadata.namespace}' 2>/dev/null || true
}

# no_cluster [URL]: says why there is no cluster with kubemonitor in it; fails if there is one.
no_cluster() {
  if ! command -v kubectl >/dev/null; then
    echo "kubectl is missing here"
  elif ! cluster_answers; then
    echo "kubectl reaches none"
  elif [[ -z $1 && -z $(monitor_namespace) ]]; then
    echo "kubemonitor is not deployed in it; scripts/03-deploy.sh does that"
  else
    return 1
  fi
}

# open_api [URL]: sets api_url, to the one given or to the cluster's server, through a port-forward that
# lasts as long as the script.
open_api() {
  api_url=${1:-}
  if [[ -z $api_url ]]; then
    local namespace
    namespace=$(monitor_namespace)
    [[ -n $namespace ]] || die "kubemonitor is not deployed in this cluster; scripts/03-deploy.sh does that"
    kubectl --namespace "$namespace" port-forward service/monitor-api :80 >"$work/forward" 2>&1 &
    at_exit end_process "$!"
    wait_until 20 "kubectl port-forward" grep -q '^Forwarding from 127' "$work/forward" ||
      die "cannot reach monitor-api: $(tail -1 "$work/forward")"
    api_url=http://localhost:$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward" | head -1)
  fi
  wait_until 30 "kubemonitor to be ready" answers "$api_url/ready" || die "$api_url is not ready to answer"
}

# cluster_kind: minikube, kind, k3s or other.
cluster_kind() {
  local context nodes
  context=$(kubectl config current-context 2>/dev/null || true)
  nodes=$(kube get nodes --output json)
  if jq --exit-status 'any(.items[].metadata.labels; has("minikube.k8s.io/name"))' <<<"$nodes" >/dev/null; then
    echo minikube
  elif [[ $context == kind-* ]]; then
    echo kind
  elif jq --exit-status 'any(.items[].status.nodeInfo.kubeletVersion; contains("+k3s"))' <<<"$nodes" >/dev/null; then
    echo k3s
  else
    echo other
  fi
}

# load_image ARCHIVE KIND: into every node of the cluster (k3s: into this one).
load_image() {
  local context
  context=$(kubectl config current-context 2>/dev/null || true)
  case $2 in
    minikube)
      minikube --profile "$(kube get nodes --output 'jsonpath={.items[0].metadata.labels.minikube\.k8s\.io/name}')" \
        image load "$1"
      ;;
    kind) kind load image-archive "$1" --name "${context#kind-}" ;;
    k3s) as_root k3s ctr --namespace k8s.io images import "$1" >/dev/null ;;
    *) return 1 ;;
  esac
}
