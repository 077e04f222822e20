#!/usr/bin/env bash
# Takes down what these scripts have set up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh
# shellcheck source=scripts/lib/make_cluster.sh
source scripts/lib/make_cluster.sh

usage() {
  cat <<TEXT
Usage: scripts/shutdown_all_settings.sh [OPTIONS]

Takes down kubemonitor and what these scripts have made, after asking once:

  - kubemonitor in the cluster that kubectl reaches: its namespace $default_namespace if that is where it
    is, else its objects; and its cluster roles and the metrics API, if it provides it
  - namespaces of load tests
  - the cluster named $cluster_name that scripts/00-setup-all.sh makes with minikube, kind or k3s; no other
  - on this host, cgroups and network namespaces of load tests that were killed

Tools that were installed stay, and so do images in result/images.

  --yes            do not ask
  --dry-run        only say what would be taken down
  --cluster-keep   leave the cluster $cluster_name, and take down only what is in it
  --help           this text
TEXT
}

yes='' dry_run='' keep=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --yes) yes=yes ;;
    --dry-run) dry_run=yes ;;
    --cluster-keep) keep=yes ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done

declare -a plan=() commands=()
# plan_to WHAT COMMAND...
plan_to() {
  plan+=("$1")
  shift
  commands+=("$(printf '%q ' "$@")")
}

delete_objects() { # NAMESPACE: all that deploy/ has put there
  sed "s/namespace: default/namespace: $1/" deploy/monitor.yaml |
    kubectl delete --namespace "$1" --ignore-not-found --filename -
}

delete_metrics_api() { # NAMESPACE
  sed "s/namespace: default/namespace: $1/" deploy/metrics-api.yaml |
    kubectl delete --namespace "$1" --ignore-not-found --filename -
}

own_cluster=''
if [[ -z $keep ]]; then
  if command -v minikube >/dev/null && minikube profile list --output json 2>/dev/null |
    jq --exit-status --arg name "$cluster_name" 'any(.valid[]?; .Name == $name)' >/dev/null; then
    own_cluster=minikube
    plan_to "the minikube cluster $cluster_name, with all that is in it" minikube delete --profile "$cluster_name"
  fi
  if command -v kind >/dev/null && kind get clusters 2>/dev/null | grep -qx "$cluster_name"; then
    own_cluster=kind
    plan_to "the kind cluster $cluster_name, with all that is in it" kind delete cluster --name "$cluster_name"
  fi
  if command -v systemctl >/dev/null && systemctl is-active --quiet kubemonitor-k3s 2>/dev/null; then
    plan_to "k3s, as scripts/00-setup-all.sh has started it, with all that is in it" stop_k3s
  fi
fi

context=$(kubectl config current-context 2>/dev/null || true)
if command -v kubectl >/dev/null && cluster_answers &&
  ! [[ -n $own_cluster && ($context == "$cluster_name" || $context == "kind-$cluster_name") ]]; then
  namespace=$(monitor_namespace)
  if [[ -n $namespace ]]; then
    if [[ $(kube get apiservice v1beta1.metrics.k8s.io --output 'jsonpath={.spec.service.name}' 2>/dev/null || true) == monitor-api-metrics ]]; then
      plan_to "kubectl top by kubemonitor, in cluster ${context:-?}" delete_metrics_api "$namespace"
    fi
    plan_to "kubemonitor in namespace $namespace of cluster ${context:-?}" delete_objects "$namespace"
    if [[ $namespace == "$default_namespace" ]]; then
      plan_to "namespace $namespace of cluster ${context:-?}" kubectl delete namespace "$namespace" --ignore-not-found --timeout 120s
    fi
  fi
  while read -r each; do
    [[ -z $each ]] || plan_to "namespace $each of cluster ${context:-?}" kubectl delete namespace "$each" --ignore-not-found --timeout 120s
  done < <(kube get namespaces --output 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | grep -E '^kubemonitor-test-[0-9]+$' || true)
fi

# left_by NAME-PID: whether the script that made it has ended.
left_by() { ! kill -0 "${1##*-}" 2>/dev/null; }

remove_left_cgroup() { # FOLDER
  local folder pid
  while read -r folder; do
    while read -r pid; do as_root kill -9 "$pid" 2>/dev/null || true; done <"$folder/cgroup.procs"
  done < <(find "$1" -type d)
  sleep 0.3
  find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null || as_root find "$1" -depth -type d -exec rmdir {} \;
}

if find_cgroups; then
  while read -r mount; do
    for each in "$mount"/kubemonitor-test-*; do
      if [[ -d $each ]] && left_by "$each"; then plan_to "the left-over cgroup $each" remove_left_cgroup "$each"; fi
    done
  done < <(cgroup_mounts)
fi
for each in /run/netns/km-pod-* /run/netns/km-peer-*; do
  if [[ -e $each ]] && left_by "$each"; then plan_to "the left-over network namespace $(basename "$each")" as_root ip netns delete "$(basename "$each")"; fi
done

if ((${#plan[@]} == 0)); then
  ok "there is nothing to take down"
  exit
fi
info "This would be taken down:"
printf '  - %s\n' "${plan[@]}"
if [[ -n $dry_run ]]; then
  ok "nothing was taken down"
  exit
fi
if [[ -z $yes ]]; then
  [[ -t 0 ]] || die "nobody can be asked here; --yes takes it down without asking"
  read -r -p "Take it down? [y/N] " answer
  [[ $answer == [yY]* ]] || die "nothing was taken down"
fi
wrong=0
for i in "${!plan[@]}"; do
  step "${plan[i]}"
  eval "${commands[i]}" || wrong=$((wrong + 1)) # printf %q quoted it
done
((wrong == 0)) || die "$wrong of ${#plan[@]} could not be taken down"
ok "${#plan[@]} taken down"
