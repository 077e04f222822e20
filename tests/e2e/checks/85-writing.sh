#!/usr/bin/env bash
# Writing is closed: who shows no token of a collector's pod changes nothing.
# shellcheck source=tests/e2e/lib/check.sh
source "$E2E_HERE/lib/check.sh"

forged=kubemonitor-e2e-forged

# Whether a pushed sample is taken, from somebody with no token for it.
taken() {
  local path=/api/nodes/$forged
  printf '{"timestamp": "%s", "node": "%s", "cpu_millicores": 1}' "$(date --utc +%FT%TZ)" "$forged" >"$E2E_WORK/forged"
  if [[ -n $E2E_URL ]]; then
    curl --fail --silent --show-error --max-time 30 --json "@$E2E_WORK/forged" "$E2E_URL$path"
  else
    kubectl create --filename "$E2E_WORK/forged" \
      --raw "/api/v1/namespaces/$E2E_MONITOR/services/monitor-api:http/proxy$path"
  fi >/dev/null 2>&1
}

forgeries() {
  ! taken || echo "a sample of $forged was taken"
  wrong '.[] | select(.node_name == $forged) | "\(.node_name) is listed"' /api/nodes --arg forged "$forged"
}

if [[ $(kubectl --namespace "$E2E_MONITOR" get deployment monitor-api --output json) == *ALLOW_PUSH* ]]; then
  skipped "pushing was opened here (ALLOW_PUSH)"
else
  holds "a sample that nobody vouches for is refused" forgeries
fi
