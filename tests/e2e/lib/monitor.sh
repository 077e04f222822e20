# shellcheck shell=bash
# Asking kubemonitor.

# ask PATH: what its API answers.
ask() {
  if [[ -n $E2E_URL ]]; then
    curl --fail-with-body --silent --show-error --max-time 30 "$E2E_URL$1"
  else
    kubectl get --raw "/api/v1/namespaces/$E2E_MONITOR/services/monitor-api:http/proxy$1"
  fi
}

# The path of what the suite itself runs.
# shellcheck disable=SC2034 # the checks use it
own=/api/namespaces/$E2E_NAMESPACE

# wrong FILTER PATH [OPTIONS...]: what jq's filter lists of the answer.
wrong() {
  local filter=$1 path=$2 answer
  shift 2
  answer=$(ask "$path") || return 1
  jq --raw-output -L "$E2E_HERE/lib" "$@" "include \"compare\"; $filter" <<<"$answer"
}

is_ready() { ask /ready >/dev/null; }
