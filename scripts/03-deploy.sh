#!/usr/bin/env bash
# Deploys kubemonitor into the cluster that kubectl reaches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<TEXT
Usage: scripts/03-deploy.sh [OPTIONS]

Applies deploy/ to the cluster that kubectl reaches, waits until every collector and the API server
run and answer, and shows where they are. May be repeated: what is there is brought up to date.

  --namespace NAME  [default: $default_namespace; made where it is not there]
  --tag TAG         of the images [default: latest]
  --restart         start the pods anew even if nothing but the images' content has changed
  --metrics-api     answer \`kubectl top\` too (deploy/metrics-api.yaml), where nobody else does
  --timeout SECONDS for the roll-out [default: 180]
  --dry-run         ask the cluster whether it would accept everything, and change nothing
  --help            this text
TEXT
}

namespace=$default_namespace tag=latest restart='' metrics_api='' timeout=180 dry_run=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --restart) restart=yes ;;
    --metrics-api) metrics_api=yes ;;
    --dry-run) dry_run=yes ;;
    --namespace | --tag | --timeout)
      need_value "$@"
      case $1 in
        --namespace) namespace=$2 ;;
        --tag) tag=$2 ;;
        --timeout) timeout=$2 ;;
      esac
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $timeout =~ ^[0-9]+$ ]] || usage_error "--timeout takes a number of seconds"
[[ $namespace =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] || usage_error "--namespace takes a name of small letters, digits and dashes"

make_work
need_cluster

there=$(monitor_namespace)
[[ -z $there || $there == "$namespace" ]] ||
  die "kubemonitor is in namespace $there already; scripts/shutdown_all_settings.sh --cluster-keep takes it down, or name that namespace with --namespace"
provider=$(kube get apiservice v1beta1.metrics.k8s.io --output 'jsonpath={.spec.service.name}' 2>/dev/null || true)
if [[ -n $metrics_api && -n $provider && $provider != monitor-api-metrics ]]; then
  die "kubectl top is answered by $provider in this cluster; without --metrics-api that stays so"
fi

# A kustomization of kustomizations must lie on the way to them, not at an absolute path.
mkdir -p result
overlay=$(mktemp -d result/deploy.XXXXXX)
at_exit rm -rf "$overlay"
mkdir "$overlay/all"
cp deploy/*.yaml "$overlay/all"
[[ -z $metrics_api ]] || sed -i 's/# - metrics-api.yaml/- metrics-api.yaml/' "$overlay/all/kustomization.yaml"
# The namespace is an object with a name of its own, which \`namespace:\` does not change.
sed -i "/^kind: Namespace/,\$s/^  name: .*/  name: $namespace/" "$overlay/all/namespace.yaml"
cat >"$overlay/kustomization.yaml" <<YAML
namespace: $namespace
resources: [all]
images:
  - {name: kubemonitor-collector, newTag: "$tag"}
  - {name: kubemonitor-api, newTag: "$tag"}
YAML
kubectl kustomize "$overlay" >"$work/all.yaml" || die "deploy/ is no kustomization that kubectl understands"

if [[ -n $dry_run ]]; then
  step "Asking the cluster"
  if ! kube get namespace "$namespace" >/dev/null 2>&1; then
    # Nothing is accepted into a namespace that is not there.
    info "namespace $namespace is not there: asking for namespace default"
    sed -i "s/^namespace: .*/namespace: default/" "$overlay/kustomization.yaml"
    sed -i '/namespace.yaml/d' "$overlay/all/kustomization.yaml"
    kubectl kustomize "$overlay" >"$work/all.yaml"
  fi
  kube apply --dry-run=server --filename "$work/all.yaml" || die "the cluster does not accept it"
  ok "the cluster accepts everything; nothing was changed"
  exit
fi

step "Applying to $(kubectl config current-context 2>/dev/null || echo the cluster), namespace $namespace"
kube apply --filename "$work/all.yaml" || die "the cluster does not accept it"
if [[ -n $restart && -n $there ]]; then
  kube --namespace "$namespace" rollout restart deployment/monitor-api daemonset/resource-collector
fi

step "Waiting for the roll-out"
for what in deployment/monitor-api daemonset/resource-collector; do
  if ! kubectl --namespace "$namespace" rollout status "$what" --timeout "${timeout}s"; then
    kube --namespace "$namespace" get pods --output wide >&2 || true
    kube --namespace "$namespace" get events --field-selector type=Warning --sort-by .lastTimestamp 2>/dev/null | tail -5 >&2 || true
    die "$what does not come up in $timeout s; if an image cannot be pulled, scripts/02-build-images.sh loads it"
  fi
done

step "Asking it"
open_api
nodes=$(kube get nodes --output name | wc -l)
all_nodes_are_there() { [[ $(fetch_json "$api_url/api/nodes" '[.[] | select(.stale | not)] | length' 2>/dev/null) == "$nodes" ]]; }
if ! wait_until 60 "figures of $nodes nodes" all_nodes_are_there; then
  kube --namespace "$namespace" logs --selector app=resource-collector --prefix --tail 1 >&2 || true
  die "$(fetch_json "$api_url/api/nodes" '[.[] | select(.stale | not)] | length') of $nodes nodes send figures after 60 s"
fi
info "$nodes nodes and $(fetch_json "$api_url/api/pods" length) pods"

step "Where it is"
kube get nodes --output json | jq --raw-output --arg port \
  "$(kube --namespace "$namespace" get service monitor-api-nodeport --output 'jsonpath={.spec.ports[0].nodePort}' 2>/dev/null)" '
  select($port != "") | .items[0].status.addresses[] | select(.type == "InternalIP")
  | "from where the nodes can be reached   http://\(.address):\($port)/"'
printf '%-37s %s\n' "in the cluster" "http://monitor-api.$namespace/" \
  "on this machine, at localhost:8080" "scripts/kube-port-forward.sh"
ok "kubemonitor is deployed and sees $nodes nodes"
