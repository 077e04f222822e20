#!/usr/bin/env bash
# The end-to-end suite: kubemonitor in a real cluster, checked against Kubernetes and its kubelets.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/e2e/run.sh [OPTIONS]

Deploys kubemonitor into the cluster that KUBECONFIG names (its current context), starts pods of its
own, and checks what kubemonitor says against what Kubernetes and every node's kubelet say. Takes
about ten minutes. Needs kubectl, jq and the rights of a cluster administrator. Everything it made is
deleted at the end, also after Ctrl-C. Without KUBECONFIG it says that it was skipped.

  --overlay DIR   deploy with `kubectl apply -k DIR` instead of deploy/kustomization.yaml: for
                  images from a registry, say. It may choose the namespace
  --deployed      check the kubemonitor that runs in the cluster already, and leave it there. Its API
                  server is restarted, which loses samples that are only in memory
  --url URL       where its API answers [default: through Kubernetes, as `kubectl get --raw` does]
  --image IMAGE   what the suite's own pods run: any that has a shell, dd and sleep
                  [default: busybox]
  --only LIST     only these checks, of those in checks/: `--only pods,kubelet`
  --keep          delete nothing at the end
  --help          this text

KUBECONFIG=… tests/e2e/run.sh --overlay DIR, where DIR/kustomization.yaml holds

  resources: [../kubemonitor/deploy]
  images: [{name: kubemonitor-api, newName: registry.example/kubemonitor-api, newTag: v1}]
TEXT
}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
overlay=$here/../../deploy deployed='' keep='' only=''
export E2E_URL='' E2E_IMAGE=busybox
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --deployed) deployed=yes && shift && continue ;;
    --keep) keep=yes && shift && continue ;;
    --overlay | --url | --image | --only) [[ -n ${2:-} ]] || die "$1 needs a value; see --help" ;;&
    --overlay) overlay=$2 ;;
    --url) E2E_URL=${2%/} ;;
    --image) E2E_IMAGE=$2 ;;
    --only) only=$2 ;;
    *) die "unknown option $1; see --help" ;;
  esac
  shift 2
done

checks=()
for check in "$here"/checks/*.sh; do
  name=$(basename "$check" .sh)
  [[ -n $only && ,$only, != *,"${name#*-}",* ]] || checks+=("$check")
done
((${#checks[@]})) || die "--only $only names none of the checks in $here/checks"

if [[ -z ${KUBECONFIG:-} ]]; then
  echo "skipped: the end-to-end suite needs a cluster, and KUBECONFIG names none"
  exit
fi
for program in kubectl jq; do
  command -v "$program" >/dev/null || die "$program is needed"
done
kubectl get --raw /version >/dev/null || die "the cluster that KUBECONFIG names does not answer"

E2E_WORK=$(mktemp -d)
E2E_BEGAN=$(date --utc +%FT%TZ)
export E2E_WORK E2E_BEGAN E2E_HERE=$here E2E_NAMESPACE=kubemonitor-e2e
# shellcheck source=tests/e2e/lib/check.sh
source "$here/lib/check.sh"
# shellcheck source=tests/e2e/lib/install.sh
source "$here/lib/install.sh"

# What is to be deleted at the end, newest first.
made=()

clean_up() {
  trap '' INT TERM
  if [[ -n $keep ]]; then
    printf '\nkept: %s\n' "${made[*]:-nothing was made}"
  else
    local what
    for what in "${made[@]}"; do "$what"; done
  fi
  rm -rf "$E2E_WORK"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [[ -z $deployed ]]; then
  step "deploying $(realpath --relative-to . "$overlay")"
  render "$overlay"
  made=(remove_monitor)
  install_monitor
else
  step "looking for kubemonitor"
fi
E2E_MONITOR=$(namespace_of_monitor)
export E2E_MONITOR
wait_for_monitor
ok "kubemonitor runs in namespace $E2E_MONITOR"

step "starting pods to measure"
made=(remove_workloads "${made[@]}")
start_workloads

for check in "${checks[@]}"; do
  name=$(basename "$check" .sh)
  step "${name#*-}"
  # A process of its own: a check that stops half-way stops no other.
  bash "$check" || failed "the check ${name#*-} stopped before its end"
done

summary
