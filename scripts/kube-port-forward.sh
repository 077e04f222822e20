#!/usr/bin/env bash
# Brings the cluster's kubemonitor to localhost, and keeps it there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/lib/all.sh
source scripts/lib/all.sh

usage() {
  cat <<'TEXT'
Usage: scripts/kube-port-forward.sh [OPTIONS]

Forwards the cluster's service monitor-api to http://localhost:8080, and connects anew when the
connection breaks or the pod is another one. Ctrl-C ends it.

  --port PORT         the port on this machine [default: 8080]
  --namespace NAME    where kubemonitor is [default: looked for]
  --help              this text
TEXT
}

port=8080 namespace=''
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --port | --namespace)
      need_value "$@"
      if [[ $1 == --port ]]; then port=$2; else namespace=$2; fi
      shift
      ;;
    *) usage_error "unknown option $1" ;;
  esac
  shift
done
[[ $port =~ ^[0-9]{1,5}$ && $port -gt 0 && $port -lt 65536 ]] || usage_error "--port takes a number from 1 to 65535"

make_work
need_cluster
! port_in_use "$port" || die "port $port is in use on this machine; choose another with --port"
namespace=${namespace:-$(monitor_namespace)}
[[ -n $namespace ]] || die "kubemonitor is not deployed in this cluster; scripts/03-deploy.sh does that"
kube --namespace "$namespace" get service monitor-api >/dev/null 2>&1 ||
  die "there is no service monitor-api in namespace $namespace"

# Ctrl-C is how this ends.
stop() {
  end_forward
  printf '\n'
  ok "the port-forward has ended"
  exit 0
}
trap stop INT TERM

end_forward() {
  [[ -z ${forward:-} ]] || end_process "$forward"
  forward=''
}

# The pod that serves now: ready, and not about to end. Nothing where there is none.
serving_pod() {
  kube --namespace "$namespace" get pods --selector app=monitor-api --output json 2>/dev/null | jq --raw-output '
    [.items[] | select(.metadata.deletionTimestamp == null
      and any(.status.conditions[]?; .type == "Ready" and .status == "True")).metadata.name] | first // empty'
}

# kubectl itself notices that a pod has gone only when somebody asks, and that request is lost. So the pod is
# looked at every second, and left for the next one as soon as it is told to end.
shown='' pause=1
while :; do
  pod=$(serving_pod)
  if [[ -z $pod ]]; then
    [[ $shown == waiting ]] || info "no pod of monitor-api is ready; waiting for one"
    shown=waiting
    sleep 1
    continue
  fi
  started=$SECONDS
  kubectl --namespace "$namespace" port-forward "pod/$pod" "$port:8080" >"$work/forward" 2>&1 &
  forward=$!
  while kill -0 "$forward" 2>/dev/null; do
    if [[ $shown != "$pod" ]] && grep -q '^Forwarding' "$work/forward"; then
      info "http://localhost:$port is the cluster's kubemonitor (namespace $namespace, pod $pod); Ctrl-C ends it"
      shown=$pod
    fi
    sleep 1
    now=$(serving_pod)
    # Empty also while the Kubernetes API is away, which is no reason to let go of a pod that answers.
    [[ -z $now || $now == "$pod" ]] || break
  done
  if kill -0 "$forward" 2>/dev/null; then
    end_forward
    continue
  fi
  wait "$forward" 2>/dev/null || true
  forward=''
  ! grep -q 'unable to listen' "$work/forward" || die "port $port is in use on this machine; choose another with --port"
  ((SECONDS - started < 30)) || pause=1
  warn "the connection broke: $(tail -1 "$work/forward"); once more in $pause s"
  sleep "$pause"
  pause=$((pause * 2 > 15 ? 15 : pause * 2))
done
